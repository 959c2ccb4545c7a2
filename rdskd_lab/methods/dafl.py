"""DAFL (ICCV 2019), and MSKD: DAFL with MSGAN's mode-seeking term."""

import math
from dataclasses import replace

from ..losses import activation, information_entropy, mode_seeking, one_hot
from ..objective import Objective, Term, Words
from . import building_blocks as blocks
from .method import CLASSROOM, SMALL_CIFAR10, Method, Settings
from .rdskd import ENTROPY, ONE_HOT

ACTIVATION = Words(
    "activation loss",
    "−mean |f|",
    "the teacher's feature units",
    "0 downwards",
    "Images should activate the features that enter the teacher's last layers (DAFL).",
    "activation(seen[-1])",
)
MODE_SEEKING = Words(
    "mode seeking loss",
    "1 ∕ (mean|x² − x¹| ∕ mean|z² − z¹|)",
    "latent units per pixel unit",
    "above 0, about 1",
    "Unlike latents should give unlike images.",
    "mode_seeking(x, z)",
)


def dafl() -> Objective:
    """L_OH + 5 L_IE + 0.1 L_A, the published weights for MNIST.

    The published entropy has log base 10; ours is in nats, so its weight 5 becomes 5 / ln 10 = 2.171.
    """
    return Objective(
        oh=Term(lambda b: one_hot(b.logits), words=ONE_HOT),
        ie=Term(lambda b: information_entropy(b.logits), weight=5 / math.log(10), words=ENTROPY),
        act=Term(lambda b: activation(b.features), weight=0.1, needs=("features",), words=ACTIVATION),
    )


def mskd() -> Objective:
    """DAFL's table and the mode-seeking term with weight 1.

    The name is the RDSKD paper's; no definition was published.  This one is ours.
    """
    return Objective(**dafl(), ms=Term(lambda b: mode_seeking(b.images, b.z), words=MODE_SEEKING))


PRESETS = {
    "paper-mnist": Settings(  # 200 epochs of 120 iterations
        generator_steps=24_000, lr=0.2, student_steps=24_000, temperature=1.0
    ),
    "paper-cifar10": Settings(
        generator_steps=240_000,
        batch_size=1024,
        latent=1000,
        lr=0.02,
        student_steps=240_000,
        student_optimizer="sgd",
        student_lr=0.1,
        student_schedule="steps",
        temperature=1.0,
        weights=(("oh", 0.05), ("ie", 5 / math.log(10)), ("act", 0.01)),
    ),
    "classroom": replace(CLASSROOM, generator_steps=800, batch_size=64, lr=8e-3, student_turn=5),
    "small-cifar10": replace(SMALL_CIFAR10, generator_steps=2_000, student_turn=2, temperature=1.0),
}
PRESETS["paper-svhn"] = PRESETS["paper-cifar10"]  # nobody published any

# The student sees the batch that the generator has just trained on; in few steps, as in RDSKD's `classroom`, all
# batches so far, warped.
LIVE = dict(adapters=(blocks.pooling, blocks.remembering), batches=blocks.live, turns=blocks.by_turns)

METHODS = {
    "dafl": Method(dafl, PRESETS, **LIVE),
    "mskd": Method(  # temperature: its own search; no other was better
        mskd, PRESETS | {"classroom": replace(PRESETS["classroom"], temperature=1.0)}, **LIVE
    ),
}
