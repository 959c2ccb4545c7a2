"""The recipe for any teacher: RDSKD's table, what it adds to the student's images, and each addition left out."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import nn
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher, seeded

from rdskd_lab.distillation import Distillation
from rdskd_lab.losses import bn_statistics
from rdskd_lab.methods import any_teacher
from rdskd_lab.methods.any_teacher import change, draw_bank
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.registry import shipped_teacher

pytestmark = pytest.mark.filterwarnings("ignore::rdskd_lab.networks.foreign.NetworkWarning")
SIZES = dict(generator_steps=10, batch_size=6, latent=LATENT, width=WIDTH, student_steps=9, student_batch_size=4)
SMALL = Settings(**SIZES, pooled=True, augment=1.0, reuse=2, procedural=0.5, bank=30, blend=0.5)


def run(method="any-teacher", teacher=None, seed=0, **settings):
    chosen, settings = METHODS[method], replace(SMALL, **settings)
    teacher = teacher or ToyTeacher()
    return Distillation(teacher, ToyStudent(), chosen.terms(), settings, method=chosen, seed=seed, size=SIZE)


def generated(**settings):
    made = run(**settings)
    for _ in made.synthesise():
        pass
    return made


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    monkeypatch.setattr(any_teacher, "ROUND", 40)


def test_its_table_is_rdskds_and_a_tenth_of_the_statistics_where_there_are_any():
    with_bn, without = run(), run(teacher=ToyTeacher(bn=False))
    assert list(with_bn.objective) == ["oh", "ie", "ds", "bn"] and with_bn.objective["bn"].weight == 0.1
    first = next(with_bn.synthesise())
    shown = with_bn.show(first.batch)
    assert first.raw["bn"] == pytest.approx(bn_statistics(shown.bn).item(), rel=1e-4) and first.raw["bn"] > 0
    assert list(without.objective) == list(next(without.synthesise()).raw) == ["oh", "ie", "ds"]
    assert shipped_teacher(METHODS["any-teacher"].terms().needs) == "lenet5"  # it needs no BatchNorm


def test_without_batchnorm_the_generator_trains_as_rdskds_bit_for_bit():
    ours, pure = (run(method, ToyTeacher(bn=False)) for method in ("any-teacher", "rdskd"))
    for _ in zip(ours.synthesise(), pure.synthesise(), strict=True):
        pass
    assert all(torch.equal(a, b) for a, b in zip(ours.source.parameters(), pure.source.parameters(), strict=True))
    assert torch.equal(ours.pool.images, pure.pool.images)


def test_with_nothing_added_the_student_sees_what_rdskds_sees():
    ours, pure = generated(procedural=0.0, blend=0.0), run("rdskd", procedural=0.0, blend=0.0)
    pure.pool = ours.pool
    for a, b in islice(zip(ours.batches(), pure.batches(), strict=True), 20):
        assert torch.equal(a.images, b.images) and torch.equal(a.logits, b.logits)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_round_holds_the_share_of_procedural_images_that_was_asked_for(share):
    made = generated(procedural=share, augment=0.0, balance=1e-9, blend=0.0)
    bank = {tuple(image) for image in draw_bank(made).float().flatten(1).tolist()}
    assert len(bank) == SMALL.bank
    seen = [tuple(image) for batch in islice(made.batches(), 10) for image in batch.images.flatten(1).tolist()]
    assert sum(image in bank for image in seen) == 40 * share


def test_every_answer_is_the_teachers_to_the_image_that_the_student_sees():
    made = generated()
    for batch in islice(made.batches(), 25):
        with torch.no_grad():
            assert torch.allclose(batch.logits, made.teacher(batch.images), atol=1e-4)


@pytest.mark.parametrize("start", [1, 9, 10, 19, 20, 23])
def test_batches_from_the_kth_on_are_the_tail_of_all(start):
    made = generated()
    every = list(islice(made.batches(), 30))
    for a, b in zip(every[start:], made.batches(start), strict=False):
        assert torch.equal(a.images, b.images) and torch.equal(a.logits, b.logits)


def test_blends_lie_between_two_images_and_the_rest_are_as_they_were():
    images = torch.stack([torch.full((1, SIZE, SIZE), float(k)) for k in (0, 10)] * 500)
    changed = change(images, Settings(augment=0.0, blend=0.3), seeded(0))
    assert torch.equal(changed, changed[:, :, :1, :1].expand_as(changed))  # one share for all pixels
    touched = (changed != images)[:, 0, 0, 0]
    assert 0.1 < touched.float().mean() < 0.2  # 0.3, and half of them met an image like themselves
    values = changed[touched][:, 0, 0, 0]
    assert 0 < values.min() and values.max() < 10 and values.std() > 2


@pytest.mark.parametrize(("share", "balance", "asked"), [(0.0, 0.7, 0), (0.5, 0.0, 0), (0.5, 0.7, 30)])
def test_the_teacher_is_asked_about_the_bank_where_classes_are_balanced_and_never_about_no_images(
    share, balance, asked
):
    made, seen = generated(procedural=share, balance=balance), []
    made.teacher.register_forward_pre_hook(lambda net, given: seen.append(len(given[0])))
    next(made.batches())
    assert sum(seen) == asked + 40 and min(seen) > 0  # 40: the round itself


def test_presets_add_to_rdskds_and_leave_the_published_ones_alone():
    ours, pure = METHODS["any-teacher"].presets, METHODS["rdskd"].presets
    for name, settings in ours.items():
        if name.startswith("paper"):
            assert settings == pure[name]
    assert ours["classroom"].procedural and ours["classroom"].generator_steps <= pure["classroom"].generator_steps


def test_a_layer_norm_is_no_batchnorm():
    teacher = nn.Sequential(nn.Conv2d(1, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 5)).eval()
    assert "bn" not in run(teacher=teacher).objective


@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_rare_classes_are_drawn_more_often_up_to_a_tenth_of_an_even_share(balance):
    logits = torch.eye(4)[[0] * 800 + [1] * 190 + [2] * 10]
    chances = any_teacher._chances(logits, balance)
    of_class = [chances[logits.argmax(1) == k] for k in range(3)]
    assert all((part == part[0]).all() for part in of_class)
    each = [part[0].item() for part in of_class]
    assert each[1] / each[0] == pytest.approx((800 / 190) ** balance, rel=1e-5)
    assert each[2] / each[0] == pytest.approx((800 / 25) ** balance, rel=1e-5)  # 25: a tenth of a quarter of 1,000


def test_a_balanced_round_holds_more_of_what_the_teacher_calls_rare():
    def rarest(balance):
        made = generated(procedural=1.0, bank=200, balance=balance, augment=0.0, blend=0.0)
        with torch.no_grad():
            rare = made.teacher(draw_bank(made).float()).argmax(1).bincount(minlength=5)
        seen = torch.cat([batch.logits.argmax(1) for batch in islice(made.batches(), 100)]).bincount(minlength=5)
        k = rare.masked_fill(rare == 0, 10**6).argmin()
        return (seen[k] / seen.sum()).item()

    assert rarest(1.0) > 1.5 * rarest(0.0)


class Brightness(nn.Module):
    """Takes bright images (or, by sign, dark ones) for four classes, and all others for the fifth."""

    def __init__(self, sign: float = 1.0):
        super().__init__()
        self.weight, self.sign = nn.Parameter(torch.eye(5)), sign

    def forward(self, x):
        corner = self.sign * x[:, 0, :1, 0]
        which = (x.mean((1, 2, 3), keepdim=True)[:, 0, 0] * 1e4).sin()
        among = torch.cat([which - k for k in (-0.7, -0.2, 0.2, 0.7)], 1)
        return torch.cat([corner * 9 - 20 * among**2, -corner * 9], 1) @ self.weight


@pytest.mark.parametrize(("sign", "bright"), [(1.0, 1.0), (-1.0, 0.0)])
def test_things_lie_on_the_ground_on_which_the_teacher_sees_more_classes(sign, bright):
    assert any_teacher.bright_share(run(teacher=Brightness(sign))) == bright
    corners = draw_bank(run(bank=200, things=1.0, teacher=Brightness(sign)))[:, 0, 0, 0]
    assert ((corners > 0).float().mean() - bright).abs() < 0.3


def test_without_a_preference_there_are_both_grounds():
    class Blind(ToyTeacher):
        def forward(self, x):
            return super().forward(x.abs())

    assert any_teacher.bright_share(run(teacher=Blind())) == 0.5


def test_the_bank_is_of_both_kinds_as_the_settings_say():
    made = run(bank=400, things=0.25, teacher=Brightness())
    bank = draw_bank(made).float()
    corners = torch.stack([bank[:, 0, 0, 0], bank[:, 0, -1, 0], bank[:, 0, 0, -1], bank[:, 0, -1, -1]])
    plain = (corners == corners[0]).all(0)
    assert len(bank) == 400 and plain[300:].float().mean() > 2 * plain[:300].float().mean()


@pytest.mark.parametrize("telling", [True, False])
def test_strokes_are_their_share_of_the_things_unless_they_show_the_teacher_fewer_classes(telling, monkeypatch):
    if not telling:
        monkeypatch.setattr(any_teacher, "strokes", lambda n, channels, size, rng: torch.zeros(n, channels, size, size))
    some, none = (draw_bank(run(bank=400, things=0.5, strokes=s, teacher=Brightness(-1.0))) for s in (0.5, 0.0))
    assert torch.equal(some[:300], none[:300]) and torch.equal(some[300:], none[300:]) == (not telling)
