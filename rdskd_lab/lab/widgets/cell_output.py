"""What a notebook's cell shows and a re-run of that cell replaces: a lab, a replay, a fork.

Each has a `player`, a `pace`, a `postcard` and a `page`, and lets go of them when it is closed.
"""

import weakref

from .term_controls import close


class InCell:
    """One of a kind per cell: a cell that is run again closes what it showed before."""

    kind = "lab"  # in a word
    closed = False
    _shown: dict[tuple[str, str], weakref.ref] = {}

    def occupy(self) -> None:
        """Take the place of what this cell showed of this kind: a replay closes no lab, it may be made from one."""
        here = _cell(), self.kind
        earlier = InCell._shown.get(here, lambda: None)()
        if earlier is not None:
            earlier.close()
        InCell._shown[here] = weakref.ref(self)

    def close(self) -> None:
        """Stop playing, leave the page and give the memory back."""
        if self.closed:
            return
        self.player.close()
        self.pace.stop()
        self.postcard.stop()
        close(self.page)
        vars(self).clear()  # a notebook keeps every value that a cell ever had
        self.closed = True

    def _ipython_display_(self):
        if self.closed:
            print(f"This {self.kind} was closed, because its cell was run again.")
            return
        self._fill()
        self.postcard.display()

    def _fill(self) -> None:
        """See to it that there is something to show, where nobody can press Play."""


def _cell() -> str:
    """Which cell is being run, where the front end says so; else the same answer for all."""
    try:
        from IPython import get_ipython

        return get_ipython().get_parent()["metadata"]["cellId"]
    except (AttributeError, KeyError, TypeError):
        return ""
