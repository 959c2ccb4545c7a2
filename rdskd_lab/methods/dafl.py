"""DAFL (ICCV 2019), and MSKD: DAFL with MSGAN's mode-seeking term."""

import math
from dataclasses import replace

from ..losses import activation, information_entropy, mode_seeking, one_hot
from ..objective import Objective, Term
from . import building_blocks as blocks
from .method import Method, Settings


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


# The student sees the batch that the generator has just learned from; in few steps, as in RDSKD's `classroom`, all
# batches so far, warped.
LIVE = dict(adapters=(blocks.pooling, blocks.remembering), lessons=blocks.live, turns=blocks.by_turns)

DAFL = Method(dafl, {
    "paper-mnist": Settings(
        generator_steps=24_000, lr=0.2, student_steps=24_000, temperature=1.0,  # 200 epochs of 120 iterations
    ),
    "paper-cifar10": Settings(
        generator_steps=240_000, batch_size=1024, latent=1000, lr=0.02, student_steps=240_000, temperature=1.0,
        student_optimizer="sgd", student_lr=0.1, student_schedule="steps",
        weights=(("oh", 0.05), ("ie", 5 / math.log(10)), ("act", 0.01)),
    ),
    "classroom": Settings(
        generator_steps=800, batch_size=64, width=16, lr=8e-3, pooled=True, augment=1.0,
        student_steps=4_000, student_turn=5, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        temperature=10.0,
    ),
    "small-cifar10": Settings(
        generator_steps=2_000, batch_size=128, latent=256, width=64, lr=2e-3, pooled=True, augment=1.0,
        student_steps=4_000, student_turn=2, student_batch_size=128, student_schedule="cosine", temperature=1.0,
    ),
}, **LIVE)  # fmt: skip

MSKD = Method(mskd, DAFL.presets | {
    "classroom": replace(DAFL.presets["classroom"], temperature=1.0),  # its own search: no other was better
}, **LIVE)  # fmt: skip
