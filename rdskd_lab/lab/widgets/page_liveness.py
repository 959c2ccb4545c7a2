"""What only a script in the page can do: speak to screen readers, notice a dead kernel, report that a page is alive.

A region that a screen reader listens to must stay in the page while its words change, and no widget of ipywidgets has
one.  The script is a string, not a path: an anywidget that watches a file is never freed.  Where the page refuses it
(VS Code without its script sources), everything else still works.
"""

import math
from collections.abc import Callable
from importlib.resources import files
from time import monotonic

import anywidget
import traitlets

SAY = 5.0  # s between two sentences for those who listen
UNWATCHED = 90.0  # s without a sign of life from any page, after which nobody seems to look


class PageLiveness(anywidget.AnyWidget):
    """Speaks `sentence` to screen readers, and keeps the time at which a page last gave a sign of life."""

    _esm = (files(__package__) / "page_liveness.js").read_text("utf-8")
    sentence = traitlets.Unicode("").tag(sync=True)
    focus = traitlets.Bool(False).tag(sync=True)  # whether its page takes the keyboard's focus, when nothing has it

    def __init__(self):
        super().__init__()
        self.seen: float | None = None  # on the monotonic clock; None until a page shows this
        self._said = -math.inf  # likewise, when the last sentence was
        self.on_msg(self._hear)

    def silence(self, clock: Callable[[], float] = monotonic) -> float:
        """Return the seconds since a page last gave a sign of life; 0 before the first."""
        return 0.0 if self.seen is None else clock() - self.seen

    @property
    def unwatched(self) -> bool:
        """Return whether the pages that once showed this are gone, or asleep."""
        return self.silence() > UNWATCHED

    def say(self, sentence: Callable[[], str], playing: bool) -> None:
        """Speak what `sentence()` returns: at once when nothing plays, every few seconds while it plays."""
        now = monotonic()
        if not playing or now - self._said > SAY:
            self.sentence, self._said = sentence(), now

    def _hear(self, widget, content, buffers):
        self.seen = monotonic()
