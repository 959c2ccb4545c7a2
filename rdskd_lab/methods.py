"""Read this first: each method is a table of terms, with its settings beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from . import losses as L
from .objective import Objective, Term


def rdskd(diversity: Callable = L.diversity_seeking) -> Objective:
    """L_G = exp(L_OH - a_OH) + exp(L_IE - a_IE) + L_DS: no weights, two damped terms, one plain.

    Source: RDSKD, published code.  The anchors a start at 0 and are taken once per 120 steps, at the second of them.
    """
    return Objective(
        oh=Term(lambda b: L.one_hot(b.logits), damped=True),
        ie=Term(lambda b: L.information_entropy(b.logits), damped=True),
        ds=Term(lambda b: diversity(b.images, b.probs)),
    )


METHODS = {"rdskd": rdskd}


@dataclass(frozen=True)
class Settings:
    """What a run is made of.  The defaults are the published MNIST schedule of RDSKD."""

    # ---- the generator learns
    generator_steps: int = 2_400  # 20 epochs of 120 iterations
    batch_size: int = 512  # images a step; even, since diversity pairs the two halves
    latent: int = 100  # numbers in z
    width: int = 128  # channels of the generator's first convolution
    lr: float = 1e-3  # Adam, constant

    # ---- the student learns
    student_steps: int = 120_000  # 1,000 epochs of 120 iterations
    student_batch_size: int = 512  # images a step
    student_lr: float = 2e-3  # Adam
    student_schedule: str = "constant"  # or "cosine": half a cosine down to 0
    temperature: float = 10.0  # T in T^2 KL
    pooled: bool = False  # learn from the images that trained the generator; False: from fresh ones, as published
    augment: float = 0.0  # how far pooled images are warped before the teacher answers anew; 0: not at all
    reuse: int = 1  # how often a warped image is learnt from before it is warped anew


PRESETS = {
    "paper-mnist": Settings(),
    "classroom": Settings(
        generator_steps=800, batch_size=64, width=16, lr=1.6e-2,
        student_steps=4_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        pooled=True, augment=1.0, reuse=2,
    ),
}  # fmt: skip
