"""The check-up: what it reads of teachers whose answers are known, what it notices, and that it changes nothing."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from toys import CLASSES, SIZE, ToyTeacher, copied, same, seeded

from rdskd_lab.cli import main
from rdskd_lab.methods.procedural_images import scaled_leaves
from rdskd_lab.runs import check_teacher as module
from rdskd_lab.runs.check_teacher import check, check_teacher, forecast_of
from rdskd_lab.runs.config import Config

pytestmark = pytest.mark.filterwarnings("ignore::rdskd_lab.networks.foreign.NetworkWarning")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "IMAGES", 200)
    small = dict(generator_steps=12, batch_size=8, latent=6, width=4, student_steps=6, student_batch_size=8)
    monkeypatch.setattr(module, "SHORT", replace(module.SHORT, **small))


class Scaled(nn.Module):
    """A toy teacher whose images, or logits, are multiplied."""

    def __init__(self, images: float = 1.0, logits: float = 1.0):
        super().__init__()
        self.net, self.images, self.logits = ToyTeacher(bn=False), images, logits

    def forward(self, x):
        return self.net(x * self.images) * self.logits


def found(teacher, **how):
    return check_teacher(teacher, channels=1, size=SIZE, **how)


def test_it_reads_what_the_teacher_answers_on_procedural_images():
    teacher = ToyTeacher()
    got, images = found(teacher), scaled_leaves(200, 1, SIZE, torch.Generator().manual_seed(6))
    with torch.no_grad():
        logits = teacher(images)
    labels = logits.argmax(1).tolist()
    shares = [labels.count(k) / 200 for k in range(CLASSES)]
    assert got.classes == CLASSES
    assert got.seen["procedural"].classes == sum(share >= 0.01 for share in shares)
    assert got.seen["procedural"].entropy == pytest.approx(-sum(p * math.log(p) for p in shares if p), abs=1e-5)
    assert got.seen["procedural"].confidence == pytest.approx(logits.softmax(1).max(1).values.mean().item(), abs=1e-5)
    ordered = sorted(logits.flatten().tolist())
    assert ordered[45] <= got.logits[0] <= ordered[55] and ordered[-56] <= got.logits[1] <= ordered[-46]


def test_it_leaves_the_teacher_and_the_random_numbers_as_they_were_and_repeats_itself():
    teacher, before = ToyTeacher(), torch.get_rng_state()
    state = copied(teacher)
    first = found(teacher, seconds=1e9)
    assert same(copied(teacher), state) and torch.equal(torch.get_rng_state(), before)
    assert found(teacher, seconds=1e9) == first


def test_batchnorm_is_counted_and_its_shift_is_in_standard_deviations():
    teacher = ToyTeacher()
    teacher[1].running_mean -= 40 * teacher[1].running_var.sqrt()
    got = found(teacher)
    assert got.batchnorm == 1 and 30 < got.shift < 50
    assert any("--mean" in note and "BatchNorm" in note for note in got.notes)
    assert found(ToyTeacher(bn=False)).batchnorm == 0


def test_saturated_and_flat_answers_are_noticed_and_usual_ones_are_not():
    said = {factor: " ".join(found(Scaled(logits=factor)).notes) for factor in (1e-3, 1.0, 1e4)}
    assert "flat" in said[1e-3] and "saturated" in said[1e4]
    assert "flat" not in said[1.0] and "saturated" not in said[1.0]


def test_a_teacher_that_expects_bytes_is_noticed():
    of_bytes = Scaled(1 / 255, 20)  # sees nothing but its bias in images that are not of the size of bytes
    assert any("up to 255" in note for note in found(of_bytes).notes)
    assert not any("up to 255" in note for note in found(ToyTeacher(bn=False)).notes)


def test_a_teacher_that_shifts_do_not_move_keeps_its_classes_and_one_of_single_pixels_does_not():
    mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, CLASSES))
    pixel = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, CLASSES, bias=False))
    scale, noise = torch.linspace(-1, 1, CLASSES), torch.randn(CLASSES, SIZE**2, generator=seeded(0))
    mean[2].weight.data, mean[2].bias.data = 9 * scale[:, None], -9 / 2 * scale**2
    pixel[1].weight.data = noise - noise.mean(1, keepdim=True)
    assert found(mean).warped > 0.85 > found(pixel).warped


def test_the_short_run_is_cut_when_time_is_up_and_says_so():
    got = found(ToyTeacher(), seconds=0.0)
    assert any("cut after 1 of 12" in note for note in got.notes)
    assert not any("cut" in note for note in found(ToyTeacher(), seconds=1e9).notes)


def test_the_forecast_rises_with_agreement_and_is_lower_with_batchnorm():
    values = [forecast_of({"procedural": share}, 0) for share in (0.0, 0.3, 0.6)]
    assert values == sorted(set(values)) and 0 <= values[0] < values[-1] <= 1
    assert all(
        forecast_of({"procedural": share}, 3) < value for share, value in zip((0.0, 0.3, 0.6), values, strict=True)
    )
    assert forecast_of({"procedural": 1.0}, 0) <= 1
    for teacher in ToyTeacher(), ToyTeacher(bn=False):
        got = found(teacher)
        assert got.forecast == forecast_of(got.agreement, got.batchnorm)


def test_a_configuration_names_the_teacher_and_its_text_and_row_say_all():
    got = check(Config(teacher="lenet5"))
    assert got.classes == 10 and got.batchnorm == 0
    text, row = got.text(), got.row()
    assert "10 classes" in text and f"{got.forecast:.0%}" in text and f"{got.warped:.0%}" in text
    assert row["agreement procedural"] == got.agreement["procedural"]
    assert row["seen noise confidence"] == got.seen["noise"].confidence
    shown = [Config(teacher="lenet5", takes="pixels", mean=mean, std=mean) for mean in ((0.1,), (0.9,))]
    assert check(shown[0]).logits != check(shown[1]).logits


def test_a_teacher_that_cannot_be_distilled_is_refused_as_by_a_run():
    teacher = ToyTeacher()
    teacher[-1].weight.data.zero_()
    with pytest.raises(ValueError, match="same answer to every image"):
        found(teacher)


def test_the_command_line_prints_it(capsys):
    main(["check-teacher", "--teacher", "lenet5-bn"])
    printed = capsys.readouterr().out
    assert "answers 10 classes" in printed and "statistics: 3" in printed and "--method any-teacher" in printed
