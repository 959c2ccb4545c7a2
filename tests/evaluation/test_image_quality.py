"""Coverage, distance, fluctuation on a fixed probe, and teacher-FID, each against its formula."""

import math
import sys
from dataclasses import replace

import pytest
import torch
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher, copied, same, seeded

from rdskd_lab.distillation import Distillation
from rdskd_lab.evaluation import image_quality as I
from rdskd_lab.generator import Generator
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.rdskd import rdskd


def test_coverage_counts_classes_and_takes_the_entropy_in_nats():
    found = I.coverage(torch.tensor([2, 0, 6]))
    assert found["classes"] == 2
    assert found["entropy"] == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))
    assert I.coverage(torch.tensor([5, 5, 5, 5]))["entropy"] == pytest.approx(math.log(4))
    assert I.coverage(torch.tensor([9, 0]))["entropy"] == 0 and I.coverage(torch.zeros(3))["classes"] == 0


def test_distance_is_the_mean_over_pairs():
    x = torch.randn(4, 1, 2, 2, generator=seeded(0))
    pairs = [math.dist(x[i].flatten().tolist(), x[j].flatten().tolist()) for i in range(4) for j in range(i)]
    assert I.distance(x) == pytest.approx(sum(pairs) / 6, rel=1e-6)


def test_fluctuation_is_the_mean_of_what_rises():
    assert I.fluctuation([1.0, 3.0, 2.0, 2.5]) == pytest.approx((2 + 0 + 0.5) / 3)
    assert I.fluctuation([3.0, 2.0, 1.0]) == 0
    with pytest.raises(ValueError, match="at least two values; there are 1"):
        I.fluctuation([1.0])


def test_a_probe_sees_the_same_latents_and_only_the_floor_sees_others():
    generator, teacher = Generator(LATENT, 1, SIZE, WIDTH), ToyTeacher()
    before = copied(generator)
    probe = I.Probe(teacher, generator, rdskd(), n=8)
    values = [probe.measure() for _ in range(3)]
    assert values[0] == values[1] == values[2] and set(values[0]) == {"oh", "ie", "ds"}
    floor = probe.floor(10)
    assert all(v > 0 for v in floor.values()) and probe.measure() == values[0]
    assert same(before, generator.state_dict())
    with torch.no_grad():
        generator.project.weight.add_(0.5)
    assert probe.measure() != values[0]


def test_teacher_fid_is_the_frechet_distance_of_the_teachers_features():
    pytest.importorskip("torchmetrics")
    teacher = ToyTeacher()
    real, made = (torch.randn(600, 1, SIZE, SIZE, generator=seeded(k)) * (1 + k) for k in (0, 1))
    with torch.no_grad():
        f, g = (I.Features(teacher, 1, SIZE)(x).double() for x in (real, made))
    a, b = f.T.cov(), g.T.cov()
    # tr (A B)^1/2 from the eigenvalues of A^1/2 B A^1/2, which is symmetric
    values, vectors = torch.linalg.eigh(a)
    root = vectors @ values.clamp_min(0).sqrt().diag() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ b @ root).clamp_min(0).sqrt().sum()
    want = (f.mean(0) - g.mean(0)).square().sum() + a.trace() + b.trace() - 2 * cross
    assert I.teacher_fid(teacher, real, made) == pytest.approx(want.item(), rel=1e-3)
    assert I.teacher_fid(teacher, real, real) == pytest.approx(0, abs=0.05)


def test_what_is_said_of_a_run_is_of_its_students_images_and_moves_nothing():
    teacher, real = ToyTeacher().float(), torch.randn(300, 1, SIZE, SIZE, generator=seeded(5))
    steps, sizes = dict(generator_steps=3, student_steps=1), dict(batch_size=8, student_batch_size=8)
    settings = Settings(**steps, **sizes, latent=LATENT, width=WIDTH)
    for pooled in False, True:
        run = Distillation(
            teacher, ToyStudent().float(), rdskd(), replace(settings, pooled=pooled), channels=1, size=SIZE
        )
        list(run.synthesise())
        before, statistics = run.state(), copied(run.teacher.train())
        shown, found = I.seen(run, 20), I.of_run(run, real) | I.of_last(run, real)
        assert same_state(before, run.state()) and same(statistics, run.teacher.state_dict())
        if pooled:
            assert len(shown) == 20 and torch.equal(shown[-1], run.pool.images[23].float())
        assert found["distance"] == I.distance(I.seen(run))
        with torch.no_grad():
            f = I.Features(run.teacher, 1, SIZE)(I.seen(run))
        assert found["feature_distance"] == pytest.approx(I.distance(f))


def same_state(a, b):
    """Equal through dicts, lists and tensors."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_state, a, b))
    return a == b


def test_without_torchmetrics_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics.image.fid", None)
    with pytest.raises(ImportError, match=r"pip install 'rdskd-lab\[metrics\]'"):
        I.teacher_fid(ToyTeacher(), torch.zeros(4, 1, SIZE, SIZE), torch.zeros(4, 1, SIZE, SIZE))
