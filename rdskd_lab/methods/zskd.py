"""ZSKD (ICML 2019): images that should become soft answers drawn from the teacher's last layer."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..batch import find_head
from ..losses import soft_cross_entropy
from ..objective import Objective, Term
from ..training import CROSS_ENTROPY
from .image_optimization import IMPRESSIONS, Sheets, classes_of
from .method import CLASSROOM, SMALL_CIFAR10, Method, Settings


def zskd() -> Objective:
    """Cross-entropy of softmax(t / 20) to Dirichlet targets; no other prior."""
    return Objective(ce=Term(lambda b: soft_cross_entropy(b.logits, b.targets, temperature=20.0), words=CROSS_ENTROPY))


def of_dirichlet(run) -> Sheets:
    """Make sheets whose images should become soft answers that the last layer makes likely, beta 1 and 0.1 in turn."""
    s, head = run.settings, find_head(run.teacher)
    if head is None or len(head.weight) != run.classes:
        raise ValueError(
            "zskd draws soft answers from the weights of the teacher's last layer, one row for each class, and no such "
            "layer is found; name it (--head NAME, or head=), or take another method"
        )

    def draw(k: int, rng: torch.Generator) -> Tensor:
        passes = k if s.batch_size >= run.classes else k * s.batch_size // run.classes  # over all classes
        return dirichlet_targets(head, s.batch_size, (1.0, 0.1)[passes % 2], rng, k)

    return Sheets(draw, run.channels, run.size, s.jitter, run.rng)


def dirichlet_targets(head: nn.Module, n: int, beta=1.0, rng: torch.Generator | None = None, k: int = 0) -> Tensor:
    """Draw the k-th sheet of ZSKD's soft targets (n, K): Dirichlet draws whose concentration is class similarity.

    alpha_c = beta (r - min r) / (max r - min r) + 1e-4, where r is row c of the cosines between the rows of the head's
    weight (K, D).  The released code stretches once more after multiplying, so that its beta of 0.1 did nothing.
    """
    w = nn.functional.normalize(head.weight.detach().flatten(1), dim=1)
    r = w @ w.T
    low, high = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    alpha = (beta * (r - low) / (high - low) + 1e-4)[classes_of(k, n, len(w))]
    gamma = torch._standard_gamma(alpha.cpu().double(), generator=rng).clamp_min(1e-300)
    return (gamma / gamma.sum(1, keepdim=True)).to(w)


# Published for CIFAR-10 only; ours here: images start as N(0, 1) in normalised space, every sheet anew, and are never
# rescaled; the best images of a sheet are kept; warps stand for the published augmentation, and relabel as it does.
SHEETS = dict(batch_size=200, sheet_steps=200, lr=0.05, temperature=20.0)
PRESETS = {
    "paper-mnist": Settings(
        generator_steps=600_000,
        batch_size=100,
        lr=1e-3,
        sheet_steps=1_500,
        student_steps=312_500,  # 500 epochs of 40,000 images
        student_batch_size=64,
        student_lr=1e-3,
        temperature=20.0,
        pooled=True,
        augment=1.0,
    ),
    "classroom": replace(CLASSROOM, **SHEETS, width=128, generator_steps=4_000, reuse=2),
    "small-cifar10": replace(SMALL_CIFAR10, **SHEETS, latent=100, width=128, generator_steps=3_000),
}
PRESETS |= dict.fromkeys(("paper-svhn", "paper-cifar10"), PRESETS["paper-mnist"])  # one schedule for all

METHODS = {"zskd": Method(zskd, PRESETS, source=of_dirichlet, **IMPRESSIONS)}
