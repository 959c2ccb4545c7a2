"""Data-free knowledge distillation to learn, use and test: RDSKD (ICASSP 2021), term by term.

Read `methods` first, then `losses`, `objective`, `batch`, `sources`, `loops`: each fits on a screen or two.
"""

import os

# Before torch is loaded: its threads then wait asleep, not in a loop, for one that the system has put aside.  On a
# machine with other work (a browser drawing, say) that makes a step several times faster, on an idle one 5 % slower.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"

from .field import METHODS
from .losses import distillation, diversity_seeking, diversity_seeking_pairs, information_entropy, one_hot
from .methods import PRESETS, RDSKD, Method, Settings, rdskd
from .models import LeNet5, LeNet5Half
from .objective import ANCHORS, Objective, Term
from .sources import Generator, Pixels
from .stages import Distillation

__all__ = [
    "ANCHORS",
    "METHODS",
    "Method",
    "PRESETS",
    "RDSKD",
    "Distillation",
    "Generator",
    "LeNet5",
    "LeNet5Half",
    "Objective",
    "Pixels",
    "Settings",
    "Term",
    "distillation",
    "diversity_seeking",
    "diversity_seeking_pairs",
    "information_entropy",
    "one_hot",
    "rdskd",
]
