"""METHODS: every method and control by its name."""

from ..objective import Objective
from ..training import labels
from . import baselines
from .baselines import CONTROL
from .dafl import DAFL, MSKD
from .deepinversion import ADAPTIVE, DEEPINVERSION
from .dfad import DFAD
from .method import Method
from .rdskd import RDSKD
from .rdskd_bn import RDSKD_BN
from .zskd import ZSKD

# Settings that nobody published, taken from the nearest that somebody did: SVHN's from CIFAR-10's, DeepInversion's for
# MNIST too; ZSKD has one schedule for all.
for method in DAFL, MSKD, DFAD, DEEPINVERSION, ADAPTIVE:
    method.presets["paper-svhn"] = method.presets["paper-cifar10"]
for name in "paper-svhn", "paper-cifar10":
    ZSKD.presets[name] = ZSKD.presets["paper-mnist"]
for method in DEEPINVERSION, ADAPTIVE:
    method.presets["paper-mnist"] = method.presets["paper-cifar10"]

METHODS = {
    "rdskd": RDSKD,
    "rdskd+bn": RDSKD_BN,
    "dafl": DAFL,
    "mskd": MSKD,
    "zskd": ZSKD,
    "deepinversion": DEEPINVERSION,
    "adaptive": ADAPTIVE,
    "dfad": DFAD,
    "noise": Method(Objective, CONTROL, source=baselines.noise, seen="Gaussian noise, and the teacher's answers to it"),
    "untrained": Method(Objective, CONTROL, source=baselines.untrained,
                        seen="images of a generator that never learned, "
                        "and the teacher's answers to them"),
    "real": Method(Objective, CONTROL, source=baselines.real, real_images=True,
                   seen="real training images, and the teacher's answers to them"),
    "labels": Method(Objective, CONTROL, source=baselines.real, real_images=True, student=lambda temperature: labels(),
                     seen="real training images and their labels; there was no teacher"),
}  # fmt: skip
