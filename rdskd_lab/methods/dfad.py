"""DFAD (2019): a generator that looks for images on which student and teacher differ."""

from dataclasses import replace

from ..losses import difference
from ..objective import Objective, Term, Words
from . import building_blocks as blocks
from .method import CLASSROOM, SMALL_CIFAR10, Method, Settings

ADVERSARIAL = Words(
    "adversarial loss",
    "−mean |s − t|",
    "logits",
    "0 downwards",
    "The generator looks for images on which student and teacher differ (DFAD).",
    "-difference(student(x), t)",
)
DIFFERENCE = Words(
    "difference of logits",
    "mean |s − t|",
    "logits",
    "0 upwards",
    "The student should give the teacher's logits (DFAD).",
    "difference(student(x), t)",
)


def dfad() -> Objective:
    """-mean |s - t|: the generator seeks images on which student and teacher differ; one term, no prior.

    The student is in training mode, as in the released code.
    """
    return Objective(
        adv=Term(lambda b: -difference(b.student, b.logits), needs=("student", "training"), words=ADVERSARIAL)
    )


def dfad_student(temperature: float) -> Objective:
    """mean |s - t|: the student closes the gap again.  There is no temperature in it."""
    return Objective(l1=Term(lambda b: difference(b.student, b.logits), words=DIFFERENCE))


FRESH = dict(pooled=False, augment=0.0, student_turn=5)
PRESETS = {
    "paper-mnist": Settings(  # 40 epochs of 50; published weight decay 1e-4, here 5e-4
        generator_steps=2_000, student_steps=10_000, student_turn=5, student_optimizer="sgd", student_lr=0.01
    ),
    "paper-cifar10": Settings(  # 500 epochs of 50
        generator_steps=25_000,
        batch_size=256,
        latent=256,
        student_steps=125_000,
        student_turn=5,
        student_batch_size=256,
        student_optimizer="sgd",
        student_lr=0.1,
        student_schedule="steps",
    ),
    "classroom": replace(
        CLASSROOM, **FRESH, generator_steps=600, batch_size=64, lr=4e-3, student_steps=3_000, student_lr=2e-3
    ),
    "small-cifar10": replace(SMALL_CIFAR10, **FRESH, generator_steps=800),
}
PRESETS["paper-svhn"] = PRESETS["paper-cifar10"]  # nobody published any

METHODS = {"dfad": Method(dfad, PRESETS, batches=blocks.in_training, turns=blocks.student_first, student=dfad_student)}
