"""Somebody else's code: where it failed, and what is said about a network that may still be meant so."""

import os
import sysconfig
import traceback
import warnings
from pathlib import Path

import torch

OURS, TORCH = str(Path(__file__).parents[1]) + os.sep, str(Path(torch.__file__).parent) + os.sep
PYTHON = sysconfig.get_paths()["stdlib"] + os.sep


class NetworkWarning(UserWarning):
    """What may spoil a run, and may be meant: the run goes on."""


class NetworkNote(NetworkWarning):
    """What was done to a network, so that nobody is surprised by it."""


def warn(sentence: str, kind: type[NetworkWarning] = NetworkWarning) -> None:
    """Warn in Python; the command line prints the sentence on stderr."""
    warnings.warn(sentence, kind, stacklevel=2)


def line_of(error: BaseException, packages: bool = True) -> str:
    """Return the last line of somebody's code that an error passed, as FILE:LINE, or nothing.

    A line of their own goes before one of an installed package, if `packages` count; ours and Python's never do.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    frames = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    installed = [frame for frame in frames if "-packages" in frame[0]]
    own = [frame for frame in frames if frame not in installed and not frame[0].startswith(PYTHON)]
    for file, line in [*reversed(own), *(reversed(installed) if packages else ())]:
        if os.path.isfile(file) and not os.path.abspath(file).startswith((OURS, TORCH)):
            return f"{_short(file)}:{line}"
    return ""


def describe_error(error: BaseException) -> str:
    """Return an error's kind, its words and the line of somebody's code that it passed."""
    words, line = " ".join(str(error).split()), line_of(error)
    words = words if len(words) <= 300 else words[:297] + "..."
    return type(error).__name__ + (f": {words}" if words else "") + (f" ({line})" if line else "")


def _short(file: str) -> str:
    file = os.path.abspath(file)
    return os.path.relpath(file) if file.startswith(os.getcwd() + os.sep) else file
