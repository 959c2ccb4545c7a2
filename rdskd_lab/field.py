"""The field around RDSKD: the methods it is compared with, each put together as `methods` shows, and the controls.

Their losses stand here too, so that the core stays small.  Sources: the published codes of DAFL (ICCV 2019), MSGAN,
ZSKD (ICML 2019), DeepInversion (CVPR 2020) and DFAD (2019); their bugs are not repeated.  METHODS names them all.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from . import controls, parts, sheets
from .loops import labels
from .losses import halves, information_entropy, one_hot
from .methods import RDSKD, Method, Settings, rdskd
from .objective import Objective, Term

# ---- losses ---------------------------------------------------------------------------------------------------------


def activation(features: Tensor) -> Tensor:
    """L_A = -mean |f|: images should excite the teacher.  (N, D) -> (), <= 0.  Source: DAFL, published code."""
    return -features.abs().mean()


def mode_seeking(images: Tensor, z: Tensor, eps: float = 1e-5) -> Tensor:
    """L_MS = 1 / (mean |X2 - X1| / mean |z2 - z1| + eps): unlike images for unlike latents.

    images (N, C, S, S), z (N, Z), N even -> (), about 1.  L1 means over all numbers of a half.  Source: MSGAN,
    published code.
    """
    (x1, x2), (z1, z2) = halves(images), halves(z)
    return 1 / ((x2 - x1).abs().mean() / (z2 - z1).abs().mean() + eps)


def soft_cross_entropy(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """-1/N sum_ik y_ik ln softmax(t_i/T)_k.  logits (N, K), targets (N, K) -> () in nats.  Source: ZSKD, its code."""
    return -(targets * (logits / temperature).log_softmax(1)).sum(1).mean()


def bn_statistics(layers: Sequence[tuple[Tensor, ...]]) -> Tensor:
    """R_f = sum over BatchNorm layers of |var - running_var| + |mean - running_mean|, norms not squared.

    layers of (mean, var, running_mean, running_var), each (C,) -> (); biased variances.  Source: DeepInversion,
    published code.
    """
    return sum((var - rvar).norm() + (mean - rmean).norm() for mean, var, rmean, rvar in layers)


def total_variation(images: Tensor) -> Tensor:
    """R_TV = sum over 4 directions of the norm of neighbour differences, each over the whole batch.

    (N, C, S, S) -> (), growing with sqrt(N).  Source: DeepInversion, published code.
    """
    x = images
    pairs = (x[..., :-1], x[..., 1:]), (x[..., :-1, :], x[..., 1:, :]), (x[..., 1:, :-1], x[..., :-1, 1:])
    return sum((a - b).norm() for a, b in (*pairs, (x[..., :-1, :-1], x[..., 1:, 1:])))


def competition(student: Tensor, teacher: Tensor, temperature: float = 3.0) -> Tensor:
    """R_c = 1 - JS(student, teacher): images on which the two differ.  (N, K), (N, K) -> () in [0, 1].

    Written as in the published code of DeepInversion: both distributions at T = 3, all clamped to [0.01, 0.99], and
    the divergences taken from the mixture to its parts, the reverse of the usual Jensen-Shannon.
    """
    p, q = ((t / temperature).softmax(1) for t in (student, teacher))
    p, q, m = (d.clamp(0.01, 0.99) for d in (p, q, (p + q) / 2))
    js = (m * (m / p).log() + m * (m / q).log()).sum(1).mean() / 2
    return 1 - js.clamp(0, 1)


def difference(student: Tensor, teacher: Tensor) -> Tensor:
    """mean |s - t| over batch and classes.  Logits (N, K), (N, K) -> (), >= 0.  Source: DFAD, published code."""
    return (student - teacher).abs().mean()


# ---- tables of terms ------------------------------------------------------------------------------------------------


def dafl() -> Objective:
    """L_OH + 5 L_IE + 0.1 L_A, the published weights for MNIST.

    The published entropy has log base 10; ours is in nats, so its weight 5 becomes 5 / ln 10 = 2.171.
    """
    return Objective(
        oh=Term(lambda b: one_hot(b.logits)),
        ie=Term(lambda b: information_entropy(b.logits), weight=5 / math.log(10)),
        act=Term(lambda b: activation(b.features), weight=0.1, needs=("features",)),
    )


def mskd() -> Objective:
    """DAFL's table and the mode-seeking term with weight 1.

    The name is the RDSKD paper's; no definition was published.  This one is ours.
    """
    return Objective(**dafl(), ms=Term(lambda b: mode_seeking(b.images, b.z)))


def zskd() -> Objective:
    """Cross-entropy of softmax(t / 20) to Dirichlet targets; no other prior."""
    return Objective(ce=Term(lambda b: soft_cross_entropy(b.logits, b.targets, temperature=20.0)))


def deepinversion() -> Objective:
    """Cross-entropy to a label + 10 R_f + 2.5e-5 R_TV + 0 |x|, the published setting for CIFAR-10."""
    return Objective(
        ce=Term(lambda b: F.cross_entropy(b.logits, b.targets)),
        bn=bn_term(10.0),
        tv=Term(lambda b: total_variation(b.images), weight=2.5e-5),
        l2=Term(lambda b: b.images.norm(), weight=0.0),
    )


def adaptive_deepinversion() -> Objective:
    """DeepInversion's table and the competition with the student, weight 1."""
    return Objective(**deepinversion(), comp=Term(lambda b: competition(b.student, b.logits), needs=("student",)))


def dfad() -> Objective:
    """-mean |s - t|: the generator seeks images on which student and teacher differ; one term, no prior.

    The student is in training mode, as in the published code.
    """
    return Objective(adv=Term(lambda b: -difference(b.student, b.logits), needs=("student", "training")))


def dfad_student(temperature: float) -> Objective:
    """mean |s - t|: the student closes the gap again.  There is no temperature in it."""
    return Objective(l1=Term(lambda b: difference(b.student, b.logits)))


def rdskd_bn() -> Objective:
    """RDSKD's table and 0.1 R_f of DeepInversion.  Ours; on colour images it was worth a lot."""
    return Objective(**rdskd(), bn=bn_term(0.1))


def bn_term(weight: float) -> Term:
    """R_f as a row; 0 where there is no BatchNorm to match (`Distillation` refuses to ask for it there)."""
    return Term(lambda b: bn_statistics(b.bn) if b.bn else b.images.new_zeros(()), weight, needs=("bn",))


# ---- the methods ----------------------------------------------------------------------------------------------------

# The student sees the batch that the generator has just learned from; in few steps, as in RDSKD's `classroom`, all
# batches so far, warped.
LIVE = dict(adapters=(parts.pooling, parts.remembering), lessons=parts.live, turns=parts.by_turns)

DAFL = Method(dafl, {
    "paper-mnist": Settings(
        generator_steps=24_000, lr=0.2, student_steps=24_000, temperature=1.0,  # 200 epochs of 120 iterations
    ),
    "paper-cifar10": Settings(
        generator_steps=240_000, batch_size=1024, latent=1000, lr=0.02, student_steps=240_000, temperature=1.0,
        student_optimizer="sgd", student_lr=0.1, student_schedule="steps",
        weights=(("oh", 0.05), ("ie", 5 / math.log(10)), ("act", 0.01)),
    ),
    "classroom": Settings(
        generator_steps=800, batch_size=64, width=16, lr=8e-3, pooled=True, augment=1.0,
        student_steps=4_000, student_turn=5, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        temperature=10.0,
    ),
    "small-cifar10": Settings(
        generator_steps=2_000, batch_size=128, latent=256, width=64, lr=2e-3, pooled=True, augment=1.0,
        student_steps=4_000, student_turn=2, student_batch_size=128, student_schedule="cosine", temperature=1.0,
    ),
}, **LIVE)  # fmt: skip

MSKD = Method(mskd, DAFL.presets | {
    "classroom": replace(DAFL.presets["classroom"], temperature=1.0),  # its own search: no other was better
}, **LIVE)  # fmt: skip

IMPRESSIONS = dict(adapters=(sheets.keeping_best, sheets.renewing), seen="images that were optimised pixel by pixel, "
                   "and the teacher's answers to them")  # fmt: skip

# Published for CIFAR-10 only; ours here: images start as N(0, 1) in normalised space, every sheet anew, and are never
# rescaled; the best images of a sheet are kept; warps stand for the published augmentation, and relabel as it does.
ZSKD = Method(zskd, {
    "paper-mnist": Settings(
        generator_steps=600_000, batch_size=100, sheet_steps=1_500, lr=1e-3, pooled=True, augment=1.0,
        student_steps=312_500, student_batch_size=64, student_lr=1e-3, temperature=20.0,  # 500 epochs of 40,000 images
    ),
    "classroom": Settings(
        generator_steps=4_000, batch_size=200, sheet_steps=200, lr=0.05, pooled=True, augment=1.0, reuse=2,
        student_steps=4_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine", temperature=20.0,
    ),
    "small-cifar10": Settings(
        generator_steps=3_000, batch_size=200, sheet_steps=200, lr=0.05, pooled=True, augment=1.0,
        student_steps=4_000, student_batch_size=128, student_schedule="cosine", temperature=20.0,
    ),
}, source=sheets.of_dirichlet, **IMPRESSIONS)  # fmt: skip

# The published code has no student stage; temperature 3 and 256,000 images are the authors' word.
DEEPINVERSION = Method(deepinversion, {
    "paper-cifar10": Settings(
        generator_steps=2_000_000, batch_size=256, sheet_steps=2_000, lr=0.05, jitter=2, pooled=True, augment=1.0,
        student_steps=50_000, student_batch_size=256, student_optimizer="sgd", student_lr=0.1,
        student_schedule="cosine", temperature=3.0,
    ),
    "classroom": Settings(
        generator_steps=3_000, batch_size=256, sheet_steps=150, lr=0.2, jitter=2, pooled=True, augment=1.0, reuse=2,
        student_steps=4_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine", temperature=3.0,
    ),
    "small-cifar10": Settings(
        generator_steps=1_500, batch_size=256, sheet_steps=150, lr=0.1, jitter=2, pooled=True, augment=1.0,
        student_steps=4_000, student_batch_size=128, student_schedule="cosine", temperature=3.0,
    ),
}, source=sheets.of_labels, **IMPRESSIONS)  # fmt: skip

# A new sheet for every 50 steps of the student, merged into the pool: the published rhythm.
ADAPTIVE = Method(adaptive_deepinversion, {
    "paper-cifar10": Settings(
        generator_steps=2_000_000, batch_size=256, sheet_steps=2_000, lr=0.05, jitter=2, pooled=True, augment=1.0,
        student_steps=50_000, student_turn=50, student_batch_size=256, student_optimizer="sgd", student_lr=0.1,
        student_schedule="cosine", temperature=3.0,
    ),
    "classroom": Settings(
        generator_steps=3_000, batch_size=256, sheet_steps=150, lr=0.1, jitter=2, pooled=True, augment=1.0,
        student_steps=4_000, student_turn=200, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        temperature=3.0, weights=(("tv", 1e-3),),
    ),
    "small-cifar10": Settings(
        generator_steps=1_500, batch_size=256, sheet_steps=150, lr=0.1, jitter=2, pooled=True, augment=1.0,
        student_steps=4_000, student_turn=400, student_batch_size=128, student_schedule="cosine", temperature=3.0,
    ),
}, source=sheets.of_labels, turns=parts.by_turns, lessons=parts.growing, **IMPRESSIONS)  # fmt: skip

DFAD = Method(dfad, {
    "paper-mnist": Settings(  # 40 epochs of 50; published weight decay 1e-4, here 5e-4
        generator_steps=2_000, student_steps=10_000, student_turn=5, student_optimizer="sgd", student_lr=0.01,
    ),
    "paper-cifar10": Settings(  # 500 epochs of 50
        generator_steps=25_000, batch_size=256, latent=256, student_steps=125_000, student_turn=5,
        student_batch_size=256, student_optimizer="sgd", student_lr=0.1, student_schedule="steps",
    ),
    "classroom": Settings(
        generator_steps=600, batch_size=64, width=16, lr=4e-3, student_steps=3_000, student_turn=5,
        student_batch_size=128, student_lr=2e-3, student_schedule="cosine",
    ),
    "small-cifar10": Settings(
        generator_steps=800, batch_size=128, latent=256, width=64, lr=2e-3, student_steps=4_000, student_turn=5,
        student_batch_size=128, student_schedule="cosine",
    ),
}, lessons=parts.in_training, turns=parts.student_first, student=dfad_student)  # fmt: skip

CONTROL = {
    "classroom": Settings(
        generator_steps=0, width=16, student_steps=4_000, student_batch_size=128, student_lr=4e-3,
        student_schedule="cosine",
    ),
    "paper-mnist": Settings(generator_steps=0),
    "paper-svhn": Settings(generator_steps=0, latent=1000),
    "paper-cifar10": Settings(generator_steps=0, latent=1000, student_schedule="late"),
    "small-cifar10": Settings(
        generator_steps=0, latent=256, width=64, student_steps=4_000, student_batch_size=128, student_schedule="cosine",
    ),
}  # fmt: skip

# Settings that nobody published, taken from the nearest that somebody did: SVHN's from CIFAR-10's, DeepInversion's for
# MNIST too; ZSKD has one schedule for all.
for method in DAFL, MSKD, DFAD, DEEPINVERSION, ADAPTIVE:
    method.presets["paper-svhn"] = method.presets["paper-cifar10"]
for name in "paper-svhn", "paper-cifar10":
    ZSKD.presets[name] = ZSKD.presets["paper-mnist"]
for method in DEEPINVERSION, ADAPTIVE:
    method.presets["paper-mnist"] = method.presets["paper-cifar10"]

METHODS = {
    "rdskd": RDSKD,
    "rdskd+bn": Method(rdskd_bn, RDSKD.presets),
    "dafl": DAFL,
    "mskd": MSKD,
    "zskd": ZSKD,
    "deepinversion": DEEPINVERSION,
    "adaptive": ADAPTIVE,
    "dfad": DFAD,
    "noise": Method(Objective, CONTROL, source=controls.noise, seen="Gaussian noise, and the teacher's answers to it"),
    "untrained": Method(Objective, CONTROL, source=controls.untrained, seen="images of a generator that never learned, "
                        "and the teacher's answers to them"),
    "real": Method(Objective, CONTROL, source=controls.real, real_images=True,
                   seen="real training images, and the teacher's answers to them"),
    "labels": Method(Objective, CONTROL, source=controls.real, real_images=True, student=lambda temperature: labels(),
                     seen="real training images and their labels; there was no teacher"),
}  # fmt: skip
