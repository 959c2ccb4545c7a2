"""Each loss against its formula in methods.md, written out number by number, and where it must not break."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from rdskd_lab.losses import distillation, diversity_seeking, diversity_seeking_pairs, information_entropy, one_hot

F64 = torch.float64
DIVERSITY = [diversity_seeking, diversity_seeking_pairs]


def randn(*shape, seed=0, scale=1.0, dtype=F64, grad=False):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64) * scale
    return x.to(dtype).requires_grad_(grad)


def softmax(row):
    """Plain floats in, plain floats out."""
    top = max(row)
    powers = [math.exp(t - top) for t in row]
    return [p / sum(powers) for p in powers]


def norm(numbers):
    return math.sqrt(math.fsum(v * v for v in numbers))


def minus(a, b):
    """Two nested lists of one shape -> the flat list of differences."""
    if isinstance(a, float):
        return [a - b]
    return [d for x, y in zip(a, b, strict=True) for d in minus(x, y)]


SHAPES = pytest.mark.parametrize(("n", "k", "scale"), [(4, 3, 1.0), (6, 10, 5.0), (2, 2, 0.1), (8, 10, 30.0)])

# ---- authenticity ----------------------------------------------------------------------------------------------------


@SHAPES
def test_one_hot_is_the_mean_of_minus_ln_p_at_the_teachers_own_class(n, k, scale):
    logits = randn(n, k, seed=n, scale=scale)
    want = 0.0
    for row in logits.tolist():
        want -= math.log(softmax(row)[row.index(max(row))]) / n
    assert one_hot(logits).item() == pytest.approx(want, rel=1e-12, abs=1e-15)
    assert 0 <= one_hot(logits).item() <= math.log(k)


def test_one_hot_is_ln_K_for_a_teacher_that_cannot_tell_and_0_for_one_that_is_sure():
    assert one_hot(torch.zeros(7, 10, dtype=F64)).item() == pytest.approx(math.log(10), rel=1e-15)
    assert one_hot(1e4 * torch.eye(10, dtype=F64)).item() == 0.0


def test_the_argmax_of_one_hot_carries_no_gradient():
    # with the label held fixed, d/dt_ik = (p_ik - [k is the label]) / N and nothing else
    logits = randn(6, 10, scale=3, grad=True)
    one_hot(logits).backward()
    for i, row in enumerate(logits.tolist()):
        p, own = softmax(row), row.index(max(row))
        want = [(p[k] - (k == own)) / 6 for k in range(10)]
        assert logits.grad[i].tolist() == pytest.approx(want, abs=1e-15)


# ---- class diversity -------------------------------------------------------------------------------------------------


@SHAPES
def test_information_entropy_is_the_sum_of_m_ln_m_over_the_batch_mean(n, k, scale):
    logits = randn(n, k, seed=n, scale=scale)
    probs = [softmax(row) for row in logits.tolist()]
    means = [math.fsum(p[j] for p in probs) / n for j in range(k)]
    assert information_entropy(logits).item() == pytest.approx(math.fsum(m * math.log(m) for m in means), rel=1e-12)
    assert -math.log(k) - 1e-12 <= information_entropy(logits).item() <= 0


@pytest.mark.parametrize("k", [2, 5, 10, 100])
def test_information_entropy_is_in_nats_from_minus_ln_K_to_0(k):
    assert information_entropy(torch.zeros(4, k, dtype=F64)).item() == pytest.approx(-math.log(k), rel=1e-14)
    sure_of_each = 1e3 * torch.eye(k, dtype=F64)  # every image certain, every class once: as good as can be
    assert information_entropy(sure_of_each).item() == pytest.approx(-math.log(k), rel=1e-14)
    one_class = torch.zeros(4, k, dtype=F64)
    one_class[:, 0] = 1e3
    assert information_entropy(one_class).item() == 0.0


@pytest.mark.parametrize(
    "gap", [80.0, 95.0, 103.0, 110.0, 1e4, 1e30]
)  # around and beyond the underflow of exp in float32
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_a_class_that_never_occurs_leaves_information_entropy_finite(gap, dtype):
    logits = randn(6, 4, dtype=dtype)
    logits[:, 2] -= gap
    logits.requires_grad_()
    value = information_entropy(logits)
    value.backward()
    others = information_entropy(logits.detach()[:, [0, 1, 3]])
    assert value.item() == pytest.approx(others.item(), rel=1e-5)  # 0 ln 0 = 0
    assert logits.grad.isfinite().all()
    assert logits.grad[:, 2].abs().max() < 1e-30


# ---- inter-sample diversity ------------------------------------------------------------------------------------------


def halves(n=6, k=4, seed=3):
    images, probs = randn(n, 2, 3, 3, seed=seed), randn(n, k, seed=seed + 1, scale=2).softmax(1)
    return images, probs, n // 2


def test_diversity_seeking_is_the_published_quotient_of_whole_half_norms():
    # 1 / ( |x2 - x1| / |P2 - P1| + 1e-20 ), norms over all entries of a half together
    images, probs, h = halves()
    x, p = images.tolist(), probs.tolist()
    want = 1 / (norm(minus(x[h:], x[:h])) / norm(minus(p[h:], p[:h])) + 1e-20)
    assert diversity_seeking(images, probs).item() == pytest.approx(want, rel=1e-7)


def test_the_form_over_pairs_is_the_mean_of_the_quotients_of_the_pairs():
    images, probs, h = halves()
    x, p = images.tolist(), probs.tolist()
    want = sum(norm(minus(p[h + i], p[i])) / norm(minus(x[h + i], x[i])) for i in range(h)) / h
    assert diversity_seeking_pairs(images, probs).item() == pytest.approx(want, rel=1e-7)


def test_diversity_seeking_of_standardised_grey_images_stays_below_0_032():
    # |x2 - x1| is about sqrt(N C S S), |P2 - P1| at most sqrt(N): their quotient does not depend on N
    for n in 16, 64:
        images = randn(n, 1, 32, 32)
        images = (images - images.mean()) / images.std(correction=0)
        probs = torch.eye(10, dtype=F64)[torch.arange(n) % 10]
        assert 0.028 < diversity_seeking(images, probs).item() <= 0.032


@pytest.mark.parametrize("form", DIVERSITY)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(
    "alike", ["outputs", "images", "both", "one pair of outputs", "one pair of images", "one pair of both"]
)
def test_coinciding_outputs_or_images_give_finite_values_and_gradients(form, dtype, alike):
    images, probs, h = halves()
    images, probs = images.to(dtype), probs.to(dtype)
    rows = slice(0, 1) if alike.startswith("one pair") else slice(0, h)
    second = slice(rows.start + h, rows.stop + h)
    if "outputs" in alike or "both" in alike:
        probs[second] = probs[rows]
    if "images" in alike or "both" in alike:
        images[second] = images[rows]
    images.requires_grad_(), probs.requires_grad_()
    value = form(images, probs)
    value.backward()
    assert value.isfinite() and images.grad.isfinite().all() and probs.grad.isfinite().all()
    if alike in ("outputs", "both"):
        assert value.item() == 0.0


@pytest.mark.parametrize("form", DIVERSITY)
def test_an_odd_batch_is_refused_in_a_sentence(form):
    with pytest.raises(ValueError, match="must be even; it is 7"):
        form(torch.zeros(7, 1, 4, 4), torch.zeros(7, 10))


# ---- distillation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [1.0, 10.0, 20.0])
@SHAPES
def test_distillation_is_T2_KL_summed_over_classes_and_averaged_over_the_batch(n, k, scale, T):
    student, teacher = randn(n, k, seed=1, scale=scale), randn(n, k, seed=2, scale=scale)
    kl = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = softmax([v / T for v in t]), softmax([v / T for v in s])
        kl += math.fsum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True)) / n
    assert distillation(student, teacher, T).item() == pytest.approx(T * T * kl, rel=1e-9)
    assert distillation(student, teacher, T).item() >= 0


def test_a_student_that_answers_as_the_teacher_up_to_a_constant_has_nothing_left_to_learn():
    teacher = randn(5, 10)
    assert distillation(teacher + 3.0, teacher, 10.0).item() == pytest.approx(0.0, abs=1e-12)


def test_distillation_is_not_symmetric_and_temperature_1_is_the_default():
    student, teacher = randn(5, 10, seed=1), randn(5, 10, seed=2, scale=3)
    assert distillation(student, teacher).item() == distillation(student, teacher, 1.0).item()
    assert abs(distillation(student, teacher) - distillation(teacher, student)) > 0.1


def test_distillation_survives_a_class_that_the_teacher_rules_out():
    student, teacher = randn(3, 4, dtype=torch.float32, grad=True), randn(3, 4, seed=1, dtype=torch.float32)
    teacher[:, 1] -= 300.0
    value = distillation(student, teacher)
    value.backward()
    assert value.isfinite() and student.grad.isfinite().all()


# ---- all of them -----------------------------------------------------------------------------------------------------


def test_every_gradient_equals_finite_differences():
    logits, teacher = randn(4, 5, seed=1, grad=True), randn(4, 5, seed=2)
    images = randn(4, 1, 3, 3, seed=3, grad=True)
    assert gradcheck(one_hot, (logits,))
    assert gradcheck(information_entropy, (logits,))
    assert gradcheck(lambda s: distillation(s, teacher, 10.0), (logits,))
    for form in DIVERSITY:
        assert gradcheck(lambda x, t, form=form: form(x, t.softmax(1)), (images, logits))


def test_every_loss_is_a_scalar_in_the_type_of_its_inputs():
    for dtype in torch.float32, F64:
        logits, images = randn(4, 5, dtype=dtype), randn(4, 1, 3, 3, dtype=dtype)
        values = [one_hot(logits), information_entropy(logits), distillation(logits, 2 * logits, 10.0)]
        values += [form(images, logits.softmax(1)) for form in DIVERSITY]
        assert all(v.shape == () and v.dtype == dtype for v in values)
