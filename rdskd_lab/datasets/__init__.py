"""Real images by name or from a folder: `load("mnist", "test")`.

They train a teacher and test a student; no method distils from them.  A data set is one `DataSet` in a file of its own
here, found by itself: `digits.py` is the shortest.  The three splits, each for one use:

    train   a teacher learns from it
    tune    settings and presets are chosen on it
    test    gives the number that is reported; nothing is chosen by it
"""

from .registry import SETS, load
from .split import SPLITS, DataError, DataWarning, Split

__all__ = ["SETS", "SPLITS", "DataError", "DataWarning", "Split", "load"]
