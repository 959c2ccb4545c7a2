"""The field around RDSKD: the methods it is compared with, each a table of terms over the same loop.

Their losses stand here too, so that the core (see `methods`) stays small.  Sources: the published codes of DAFL
(ICCV 2019), MSGAN, ZSKD (ICML 2019), DeepInversion (CVPR 2020) and DFAD (2019); their bugs are not repeated.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .losses import halves, information_entropy, one_hot
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

    layers of (mean, var, running_mean, running_var), each (C,) -> ().  Source: DeepInversion, published code.
    """
    if not layers:
        raise ValueError("the teacher has no BatchNorm2d layer: no statistics to match; leave this term out")
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


def agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """-mean |s - t| over logits: the generator seeks images on which the two differ.  Source: DFAD, published code."""
    return -(student - teacher).abs().mean()


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
        bn=Term(lambda b: bn_statistics(b.bn), weight=10.0, needs=("bn",)),
        tv=Term(lambda b: total_variation(b.images), weight=2.5e-5),
        l2=Term(lambda b: b.images.norm(), weight=0.0),
    )


def adaptive_deepinversion() -> Objective:
    """DeepInversion's table and the competition with the student, weight 1."""
    return Objective(**deepinversion(), comp=Term(lambda b: competition(b.student, b.logits), needs=("student",)))


def dfad() -> Objective:
    """The generator seeks images on which student and teacher differ; one term, no prior."""
    return Objective(adv=Term(lambda b: agreement(b.student, b.logits), needs=("student",)))


def dirichlet_targets(head: nn.Linear, n: int, beta: float = 1.0, rng: torch.Generator | None = None) -> Tensor:
    """ZSKD's soft targets (n, K): Dirichlet draws, class after class, whose concentration is class similarity.

    Similarity is the cosine between the rows of the head's weight, each row of it stretched to [0, 1], times `beta`,
    plus 1e-4.  The published code stretches again after multiplying, so that its beta of 0.1 did nothing; here it does.
    """
    w = F.normalize(head.weight.detach(), dim=1)
    similar = w @ w.T
    low, high = similar.amin(1, keepdim=True), similar.amax(1, keepdim=True)
    alpha = (beta * (similar - low) / (high - low) + 1e-4)[torch.arange(n) % len(w)]
    gamma = torch._standard_gamma(alpha.double().cpu(), generator=rng).clamp_min(1e-300)
    return (gamma / gamma.sum(1, keepdim=True)).to(w)
