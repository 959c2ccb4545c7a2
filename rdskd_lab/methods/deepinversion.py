"""DeepInversion (CVPR 2020), and its adaptive form, which competes with the student."""

import torch
import torch.nn.functional as F

from ..losses import competition, total_variation
from ..objective import Objective, Term
from . import building_blocks as blocks
from .building_blocks import bn_term
from .image_optimization import IMPRESSIONS, Sheets
from .method import Method, Settings


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


def of_labels(run) -> Sheets:
    """Sheets whose images should become class 0, 1, 2 ... and again.  Source: DeepInversion, published code."""
    s = run.settings
    labels = torch.arange(s.batch_size) % run.classes
    return Sheets(lambda k: labels, run.channels, run.size, s.jitter, run.rng)


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
}, source=of_labels, **IMPRESSIONS)  # fmt: skip

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
}, source=of_labels, turns=blocks.by_turns, lessons=blocks.growing, **IMPRESSIONS)  # fmt: skip
