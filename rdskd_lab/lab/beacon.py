"""What only a script in the page can do: speak to screen readers, notice a dead kernel, tell the kernel of a dead page.

A region that a screen reader listens to must stay in the page while its words change, and no widget of ipywidgets has
one.  The script is a string, not a path: an anywidget that watches a file is never freed.  Where the page refuses it
(VS Code without its script sources), everything else still works.
"""

from collections.abc import Callable
from importlib.resources import files
from time import monotonic

import anywidget
import traitlets


class Beacon(anywidget.AnyWidget):
    """Says `sentence` politely, and keeps the time at which a page last gave a sign of life."""

    _esm = (files(__package__) / "beacon.js").read_text()
    sentence = traitlets.Unicode("").tag(sync=True)

    def __init__(self):
        super().__init__()
        self.seen: float | None = None  # on the monotonic clock; None until a page shows this
        self.on_msg(self._hear)

    def silence(self, clock: Callable[[], float] = monotonic) -> float:
        """Seconds since a page last gave a sign of life; 0 before the first."""
        return 0.0 if self.seen is None else clock() - self.seen

    def _hear(self, widget, content, buffers):
        self.seen = monotonic()
