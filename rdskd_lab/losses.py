"""Every loss, one pure function each: tensors in, scalar out, lower is better.

Shapes: N batch, K classes, C x S x S image.  Logarithms are natural, so entropies are in nats.
"Released code" is what the authors of a paper released; RDSKD's is PengchaoHan/RDSKD.  We have not read the body of
that paper (ICASSP 2021, arXiv 2011.03749), so each RDSKD formula is the one that its code computes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(logits: Tensor) -> Tensor:
    """L_OH = -1/N sum_i ln p_i[argmax_k t_ik]: authenticity, the teacher should be sure of each image.

    logits (N, K) -> () in nats, range [0, ln K].  The argmax carries no gradient.  Source: DAFL and RDSKD,
    released code.
    """
    return F.cross_entropy(logits, logits.argmax(1))


def information_entropy(logits: Tensor) -> Tensor:
    """L_IE = sum_k m_k ln m_k with m = 1/N sum_i softmax(t_i): class diversity, all classes equally often.

    logits (N, K) -> () in nats, range [-ln K, 0]: minus the entropy of the batch-mean prediction.  Source: RDSKD,
    released code (DAFL writes the same with log base 10).  Where a class never occurs the released form
    gives NaN; `xlogy(m, m)` has a NaN gradient there; clamping inside the logarithm is finite in both.
    """
    mean = logits.softmax(1).mean(0)
    return (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()


def diversity_seeking(images: Tensor, probs: Tensor, eps: float = 1e-8) -> Tensor:
    """L_DS = |P2 - P1| / (|X2 - X1| + eps): inter-sample diversity, unlike images for unlike answers.

    images (N, C, S, S), probs (N, K), N even -> (), small: at most 0.032 for 32 x 32 grey images, because each norm
    runs over a whole half of the batch.  Source: RDSKD, released code, which computes
    1 / (|X2 - X1| / |P2 - P1| + 1e-20): the same value, but a NaN gradient when the outputs coincide, and NaN when
    the images do too.
    """
    (x1, x2), (p1, p2) = halves(images), halves(probs)
    return (p2 - p1).norm() / ((x2 - x1).norm() + eps)


def diversity_seeking_pairs(images: Tensor, probs: Tensor, eps: float = 1e-8) -> Tensor:
    """The same quotient for each pair of images, then the mean over the N/2 pairs.

    images (N, C, S, S), probs (N, K), N even -> ().  Ours, to compare with: the released form lets one
    pair that differs make up for others that are alike, this one does not.
    """
    (x1, x2), (p1, p2) = halves(images), halves(probs)
    distance = torch.linalg.vector_norm((x2 - x1).flatten(1), dim=1)
    return (torch.linalg.vector_norm(p2 - p1, dim=1) / (distance + eps)).mean()


def distillation(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """L_S = T^2 KL(softmax(t/T) || softmax(s/T)): the student should answer as the teacher does.

    student (N, K), teacher (N, K) logits -> () in nats times T^2, >= 0: sum over classes, mean over the batch.
    The factor keeps gradients of one size as T grows (Hinton et al. 2015).
    """
    log_s, log_t = (student / temperature).log_softmax(1), (teacher / temperature).log_softmax(1)
    return temperature**2 * F.kl_div(log_s, log_t, reduction="batchmean", log_target=True)


def activation(features: Tensor) -> Tensor:
    """L_A = -mean |f|: images should activate features.  (N, D) -> (), <= 0.  Source: DAFL, released code."""
    return -features.abs().mean()


def mode_seeking(images: Tensor, z: Tensor, eps: float = 1e-5) -> Tensor:
    """L_MS = 1 / (mean |X2 - X1| / mean |z2 - z1| + eps): unlike images for unlike latents.

    images (N, C, S, S), z (N, Z), N even -> (), about 1.  L1 means over all numbers of a half.  Source: MSGAN,
    released code.
    """
    (x1, x2), (z1, z2) = halves(images), halves(z)
    return 1 / ((x2 - x1).abs().mean() / (z2 - z1).abs().mean() + eps)


def soft_cross_entropy(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """-1/N sum_ik y_ik ln softmax(t_i/T)_k.  logits (N, K), targets (N, K) -> () in nats.  Source: ZSKD, its code."""
    return -(targets * (logits / temperature).log_softmax(1)).sum(1).mean()


def bn_statistics(layers: Sequence[tuple[Tensor, ...]]) -> Tensor:
    """R_f = sum over BatchNorm layers of |var - running_var| + |mean - running_mean|, norms not squared.

    layers of (mean, var, running_mean, running_var), each (C,) -> (); biased variances.  Source: DeepInversion,
    released code.
    """
    return sum((var - rvar).norm() + (mean - rmean).norm() for mean, var, rmean, rvar in layers)


def total_variation(images: Tensor) -> Tensor:
    """R_TV = sum over 4 directions of the norm of neighbour differences, each over the whole batch.

    (N, C, S, S) -> (), growing with sqrt(N).  Source: DeepInversion, released code.
    """
    x = images
    pairs = (x[..., :-1], x[..., 1:]), (x[..., :-1, :], x[..., 1:, :]), (x[..., 1:, :-1], x[..., :-1, 1:])
    return sum((a - b).norm() for a, b in (*pairs, (x[..., :-1, :-1], x[..., 1:, 1:])))


def competition(student: Tensor, teacher: Tensor, temperature: float = 3.0) -> Tensor:
    """R_c = 1 - JS(student, teacher): images on which the two differ.  (N, K), (N, K) -> () in [0, 1].

    Written as in the released code of DeepInversion: both distributions at T = 3, all clamped to [0.01, 0.99], and
    the divergences taken from the mixture to its parts, the reverse of the usual Jensen-Shannon.
    """
    p, q = ((t / temperature).softmax(1) for t in (student, teacher))
    p, q, m = (d.clamp(0.01, 0.99) for d in (p, q, (p + q) / 2))
    js = (m * (m / p).log() + m * (m / q).log()).sum(1).mean() / 2
    return 1 - js.clamp(0, 1)


def difference(student: Tensor, teacher: Tensor) -> Tensor:
    """mean |s - t| over batch and classes.  Logits (N, K), (N, K) -> (), >= 0.  Source: DFAD, released code."""
    return (student - teacher).abs().mean()


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """A batch's two halves, whose images are compared in pairs."""
    if len(x) % 2:
        raise ValueError(f"diversity pairs the two halves of a batch, so its size must be even; it is {len(x)}")
    return x.chunk(2)
