"""STUDIES: every study by its name.  A module of this folder that holds a STUDY is one; nothing else has to name it."""

import pkgutil
from importlib import import_module
from pathlib import Path

from .engine import Study

NAMES = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name != "registry"]
FOUND = [getattr(import_module(f"{__package__}.{name}"), "STUDY", None) for name in NAMES]
STUDIES: dict[str, Study] = {study.name: study for study in sorted(filter(None, FOUND), key=lambda study: study.rank)}
