"""RDSKD and BatchNorm statistics."""

from ..objective import Objective
from .building_blocks import bn_term
from .method import Method
from .rdskd import RDSKD, rdskd


def rdskd_bn() -> Objective:
    """RDSKD's table and 0.1 R_f of DeepInversion.  Ours; on colour images it was worth a lot."""
    return Objective(**rdskd(), bn=bn_term(0.1))


METHODS = {"rdskd+bn": Method(rdskd_bn, RDSKD.presets)}
