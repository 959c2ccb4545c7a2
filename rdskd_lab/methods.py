"""Read this first: a method is two tables of terms, what is optimised, and when the student watches.

RDSKD stands here.  The methods that it is compared with are put together in the same way in `field`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import losses as L
from . import parts
from .loops import imitation
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


@dataclass(frozen=True)
class Settings:
    """What a run is made of.  The defaults are the published MNIST schedule of RDSKD."""

    # ---- the source learns
    generator_steps: int = 2_400  # 20 epochs of 120 iterations
    batch_size: int = 512  # images a step; even, since diversity pairs the two halves
    latent: int = 100  # numbers in z
    width: int = 128  # channels of the generator's first convolution
    lr: float = 1e-3  # Adam, constant
    sheet_steps: int = 1  # steps on one batch of images; many where the images themselves are optimised
    jitter: int = 0  # pixels by which a sheet of images is rolled at most

    # ---- the student learns
    student_steps: int = 120_000  # 1,000 epochs of 120 iterations
    student_turn: int = 1  # steps at a time, where student and source take turns
    student_batch_size: int = 512  # images a step
    student_optimizer: str = "adam"  # or "sgd": momentum 0.9, weight decay 5e-4
    student_lr: float = 2e-3
    student_schedule: str = "constant"  # or "cosine": half of one, to 0; "steps": / 10 at 40 and 80 %; "late": at 80 %
    temperature: float = 10.0  # T in T^2 KL
    pooled: bool = False  # learn from the images that trained the source; False: from fresh ones, as published
    augment: float = 0.0  # how far pooled images are warped before the teacher answers anew; 0: not at all
    reuse: int = 1  # how often a warped image is learnt from before it is warped anew

    weights: tuple[tuple[str, float], ...] = ()  # of terms, where they differ from the table's


@dataclass(frozen=True)
class Method:
    """What tells one method from another.  The loop is the same for all."""

    terms: Callable[[], Objective]  # what the source is asked for
    presets: dict[str, Settings]
    lessons: Callable = parts.finished  # what the student sees
    turns: Callable = parts.after  # when it sees it
    student: Callable[[float], Objective] = imitation  # what the student is asked for; of the temperature
    source: Callable = parts.generator  # what is optimised
    adapters: tuple[Callable, ...] = (parts.pooling,)  # what is kept of the source's steps
    real_images: bool = False  # whether it is a control that learns from them
    seen: str = "images that a generator painted, and the teacher's answers to them"  # by the student, in words


PRESETS = {
    "paper-mnist": Settings(),
    "paper-svhn": Settings(latent=1000),
    "paper-cifar10": Settings(latent=1000, student_schedule="late"),
    "classroom": Settings(
        generator_steps=800, batch_size=64, width=16, lr=1.6e-2,
        student_steps=4_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        pooled=True, augment=1.0, reuse=2,
    ),
    "long": Settings(
        generator_steps=2_400, batch_size=64, width=16, lr=1.6e-2,
        student_steps=40_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        pooled=True, augment=1.0, reuse=4,
    ),
    "small-cifar10": Settings(  # colour images on two cores; a first guess, tuned for no method
        generator_steps=2_000, batch_size=128, latent=256, width=64, lr=2e-3,
        student_steps=4_000, student_batch_size=128, student_schedule="cosine", pooled=True, augment=1.0,
    ),
}  # fmt: skip

RDSKD = Method(rdskd, PRESETS)
