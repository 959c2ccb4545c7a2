"""The solutions of the course's exercises against an independent truth: torch's own layers, or the package's loop."""

import pytest
import torch
import torch.nn.functional as F

import rdskd_lab as lab
from rdskd_lab.course.lesson import find_exercises
from rdskd_lab.networks.architectures import LeNet5
from rdskd_lab.training import synthesise


def answer(notebook, number=1):
    return find_exercises(notebook)[number - 1].answer


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_02_distillation_is_torchs_kl_div_times_the_square_of_the_temperature(temperature):
    student, teacher = 5 * random(7, 10), 5 * random(7, 10, seed=1)
    log_q, p = (student / temperature).log_softmax(1), (teacher / temperature).softmax(1)
    expected = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    torch.testing.assert_close(answer("02_distillation")(student, teacher, temperature), expected)


def test_03_doubling_is_torchs_nearest_upsampling():
    images = random(2, 3, 4, 5)
    assert torch.equal(answer("03_generator", 1)(images), torch.nn.Upsample(scale_factor=2)(images))


def test_03_the_scale_is_that_of_torchs_batchnorm_in_training_mode():
    images = 3 + 2 * random(6, 3, 4, 5)
    layer = torch.nn.BatchNorm2d(3, eps=1e-12, affine=False).double()
    torch.testing.assert_close(answer("03_generator", 2)(images), layer(images))


def test_03_inversion_is_gradient_descent_on_the_packages_pixels():
    teacher, labels, start = LeNet5().double(), torch.tensor([3, 1, 4]), random(3, 1, 32, 32)
    before = [p.clone() for p in teacher.parameters()]
    found = answer("03_generator", 3)(teacher, start, labels, 5, 2.0)
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))

    pixels = lab.Pixels(labels).double()
    pixels.images.data.copy_(start)
    ask = lab.Objective(ce=lab.Term(lambda batch: F.cross_entropy(batch.logits, batch.targets)))
    steps = synthesise(teacher, pixels, ask, torch.optim.SGD(pixels.parameters(), lr=2.0), batch_size=None)
    for _ in range(5):
        next(steps)
    torch.testing.assert_close(found, pixels.images.detach())
    assert not torch.equal(found, start)


def test_11_the_network_can_be_distilled_from_at_28_pixels():
    teacher = answer("11_your_own_teacher")()
    settings = lab.Settings(generator_steps=1, batch_size=4, width=4)
    run = lab.Distillation(teacher, answer("11_your_own_teacher")(), lab.rdskd(), settings, size=28)
    assert run.classes == 10
    next(run.synthesise())


def test_11_the_network_can_be_sure_passes_a_gradient_on_and_has_no_batchnorm():
    teacher, images = answer("11_your_own_teacher")().double().eval(), (100 * random(8, 1, 28, 28)).requires_grad_()
    logits = teacher(images)
    assert logits.softmax(1).max() > 0.9  # of ten classes a softmax at the end leaves at most e / (e + 9) = 0.2320
    assert torch.autograd.grad(logits.sum(), images)[0].abs().max() > 0
    assert not any("BatchNorm" in type(m).__name__ for m in teacher.modules())
