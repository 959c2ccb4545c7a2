"""DeepInversion (CVPR 2020), and its adaptive form, which competes with the student."""

from dataclasses import replace

import torch.nn.functional as F

from ..losses import competition, total_variation
from ..objective import Objective, Term, Words
from ..training import CROSS_ENTROPY
from . import building_blocks as blocks
from .building_blocks import bn_term
from .image_optimization import IMPRESSIONS, Sheets, classes_of
from .method import CLASSROOM, SMALL_CIFAR10, Method, Settings

TOTAL_VARIATION = Words(
    "total variation",
    "Σ<sub>4 directions</sub> ‖x − x shifted‖",
    "pixel units, over the batch",
    "0 upwards",
    "Neighbouring pixels should be alike.",
)
NORM = Words("norm of the images", "‖x‖", "pixel units, over the batch", "0 upwards", "Images should be faint.")
COMPETITION = Words(
    "competition",
    "1 − JS(student, teacher)",
    "none",
    "0 to 1",
    "Student and teacher should differ on the images (adaptive DeepInversion).",
)


def deepinversion() -> Objective:
    """Cross-entropy to a label + 10 R_f + 2.5e-5 R_TV + 0 |x|, the published setting for CIFAR-10."""
    return Objective(
        ce=Term(lambda b: F.cross_entropy(b.logits, b.targets), words=CROSS_ENTROPY),
        bn=bn_term(10.0),
        tv=Term(lambda b: total_variation(b.images), weight=2.5e-5, words=TOTAL_VARIATION),
        l2=Term(lambda b: b.images.norm(), weight=0.0, words=NORM),
    )


def adaptive_deepinversion() -> Objective:
    """DeepInversion's table and the competition with the student, weight 1."""
    comp = Term(lambda b: competition(b.student, b.logits), needs=("student",), words=COMPETITION)
    return Objective(**deepinversion(), comp=comp)


def of_labels(run) -> Sheets:
    """Make sheets whose images should become class 0, 1, 2 ... and again.  Source: DeepInversion, released code."""
    s = run.settings
    n, classes = s.batch_size, run.classes
    return Sheets(lambda k, rng: classes_of(k, n, classes), run.channels, run.size, s.jitter, run.rng)


# The released code has no student stage; temperature 3 and 256,000 images are the authors' word.
PRESETS = {
    "paper-cifar10": Settings(
        generator_steps=2_000_000,
        batch_size=256,
        lr=0.05,
        sheet_steps=2_000,
        jitter=2,
        student_steps=50_000,
        student_batch_size=256,
        student_optimizer="sgd",
        student_lr=0.1,
        student_schedule="cosine",
        temperature=3.0,
        pooled=True,
        augment=1.0,
    )
}
SHEETS = dict(batch_size=256, sheet_steps=150, jitter=2, temperature=3.0)
PRESETS |= {
    "classroom": replace(CLASSROOM, **SHEETS, width=128, generator_steps=3_000, lr=0.2, reuse=2),
    "small-cifar10": replace(SMALL_CIFAR10, **SHEETS, latent=100, width=128, generator_steps=1_500, lr=0.1),
}
PRESETS |= dict.fromkeys(("paper-svhn", "paper-mnist"), PRESETS["paper-cifar10"])  # nobody published any

# A new sheet for every 50 steps of the student, merged into the pool: the published rhythm.
ADAPTIVE = {name: replace(s, student_turn=50) for name, s in PRESETS.items()}
ADAPTIVE["classroom"] = replace(PRESETS["classroom"], lr=0.1, student_turn=200, reuse=1, weights=(("tv", 1e-3),))
ADAPTIVE["small-cifar10"] = replace(PRESETS["small-cifar10"], student_turn=400)

METHODS = {
    "deepinversion": Method(deepinversion, PRESETS, source=of_labels, **IMPRESSIONS),
    "adaptive": Method(
        adaptive_deepinversion, ADAPTIVE, source=of_labels, turns=blocks.by_turns, batches=blocks.growing, **IMPRESSIONS
    ),
}
