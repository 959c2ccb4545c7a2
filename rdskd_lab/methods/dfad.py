"""DFAD (2019): a generator that looks for images on which student and teacher differ."""

from ..losses import difference
from ..objective import Objective, Term
from . import building_blocks as blocks
from .method import Method, Settings


def dfad() -> Objective:
    """-mean |s - t|: the generator seeks images on which student and teacher differ; one term, no prior.

    The student is in training mode, as in the published code.
    """
    return Objective(adv=Term(lambda b: -difference(b.student, b.logits), needs=("student", "training")))


def dfad_student(temperature: float) -> Objective:
    """mean |s - t|: the student closes the gap again.  There is no temperature in it."""
    return Objective(l1=Term(lambda b: difference(b.student, b.logits)))


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
}, lessons=blocks.in_training, turns=blocks.student_first, student=dfad_student)  # fmt: skip
