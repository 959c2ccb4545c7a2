"""Where a notebook is looked at, and how a lab may train there.  Knows no widget, so that the doctor can ask too."""

import asyncio
import os
import sys
from collections.abc import Container, Mapping

MODES = ("task", "chunk", "inline")


def find_front_end(env: Mapping[str, str] = os.environ, modules: Container[str] = sys.modules) -> str:
    """Colab, Binder, Jupyter, VS Code, "a kernel without a page" (nbconvert, nbval), or "a terminal"."""
    if "google.colab" in modules:
        return "Colab"
    if "ipykernel" not in modules:
        return "a terminal"
    if "BINDER_SERVICE_HOST" in env or "BINDER_LAUNCH_HOST" in env:
        return "Binder"
    if "JPY_SESSION_NAME" in env:  # which only a Jupyter server sets
        return "Jupyter"
    return "VS Code" if "VSCODE_PID" in env else "a kernel without a page"


def find_mode() -> str:
    """What works here: RDSKD_LAB_MODE where it is set, chunk on Colab, task where an event loop runs, else inline."""
    mode = os.environ.get("RDSKD_LAB_MODE")
    if mode:
        if mode not in MODES:
            raise ValueError(
                f"RDSKD_LAB_MODE is {mode!r}; unset it, or make it one of {', '.join(MODES)}. "
                "A recorded run needs no mode: Replay(path) plays it without training"
            )
        return mode
    if "google.colab" in sys.modules:
        return "chunk"
    return "task" if running_loop() else "inline"


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs this very code, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
