"""Data-free knowledge distillation to learn, use and test: RDSKD (ICASSP 2021), term by term.

Read in this order: `losses`, `batch`, `objective`, `generator`, `training`, `methods/rdskd`, `distillation`.
"""

import os

# Before torch is loaded: its threads then wait asleep, not in a loop, for one that the system has put aside.  On a
# machine with other work (a browser drawing, say) that makes a step several times faster, on an idle one 5 % slower.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"

from .datasets import load as load_data
from .distillation import Distillation, find_device, use_anchor
from .evaluation.accuracy import accuracy
from .evaluation.accuracy import compare as compare_networks
from .generator import Generator
from .losses import distillation, diversity_seeking, diversity_seeking_pairs, information_entropy, one_hot
from .methods.image_optimization import Pixels
from .methods.method import Method, Settings
from .methods.rdskd import PRESETS, RDSKD, rdskd
from .methods.registry import METHODS
from .networks.architectures import LeNet5, LeNet5Half
from .networks.weights import SHIPPED, load_weights, save_weights
from .objective import ANCHORS, Objective, Term
from .torch_state import seeded

__all__ = [
    "ANCHORS",
    "Distillation",
    "Generator",
    "LeNet5",
    "LeNet5Half",
    "METHODS",
    "Method",
    "Objective",
    "PRESETS",
    "Pixels",
    "RDSKD",
    "SHIPPED",
    "Settings",
    "Term",
    "accuracy",
    "compare_networks",
    "distillation",
    "diversity_seeking",
    "diversity_seeking_pairs",
    "find_device",
    "information_entropy",
    "load_data",
    "load_weights",
    "one_hot",
    "rdskd",
    "save_weights",
    "seeded",
    "use_anchor",
]
