"""ZSKD (ICML 2019): images that should become soft answers drawn from the teacher's last layer."""

import torch
from torch import Tensor

from ..batch import last_linear
from ..losses import soft_cross_entropy
from ..objective import Objective, Term
from .image_optimization import IMPRESSIONS, Sheets
from .method import Method, Settings


def zskd() -> Objective:
    """Cross-entropy of softmax(t / 20) to Dirichlet targets; no other prior."""
    return Objective(ce=Term(lambda b: soft_cross_entropy(b.logits, b.targets, temperature=20.0)))


def of_dirichlet(run) -> Sheets:
    """Sheets whose images should become soft answers that the last layer makes likely, beta 1.0 and 0.1 by turns."""
    s, head = run.settings, last_linear(run.teacher)
    return Sheets(lambda k: dirichlet_targets(head, s.batch_size, (1.0, 0.1)[k % 2], run.rng),
                  run.channels, run.size, s.jitter, run.rng)  # fmt: skip


def dirichlet_targets(head: torch.nn.Linear, n: int, beta: float = 1.0, rng: torch.Generator | None = None) -> Tensor:
    """ZSKD's soft targets (n, K): Dirichlet draws, class after class, whose concentration is class similarity.

    alpha_c = beta (r - min r) / (max r - min r) + 1e-4, where r is row c of the cosines between the rows of the head's
    weight (K, D).  The published code stretches once more after multiplying, so that its beta of 0.1 did nothing.
    """
    w = torch.nn.functional.normalize(head.weight.detach(), dim=1)
    r = w @ w.T
    low, high = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    alpha = (beta * (r - low) / (high - low) + 1e-4)[torch.arange(n) % len(w)]
    gamma = torch._standard_gamma(alpha.double().cpu(), generator=rng).clamp_min(1e-300)
    return (gamma / gamma.sum(1, keepdim=True)).to(w)


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
}, source=of_dirichlet, **IMPRESSIONS)  # fmt: skip
