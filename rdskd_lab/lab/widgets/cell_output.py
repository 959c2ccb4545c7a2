"""What a notebook's cell shows and a re-run of that cell replaces: a lab, a replay, a fork.

Each plays something, draws it, and keeps a still picture of it in the notebook; what is the same in all is here.
"""

import weakref

import ipywidgets as widgets

from ..drawing.view import page_style
from ..session.player import Player
from .control import close
from .page_liveness import PageLiveness
from .redraw_throttle import RedrawThrottle
from .static_snapshot import StaticSnapshot

GONE = "was closed: by close(), or because its cell was run again or made another"


class CellOutput:
    """One of a kind per cell: a cell that is run again closes what it showed before."""

    kind = "lab"  # in a word
    closed = False
    _shown: dict[tuple[str, str], weakref.ref] = {}

    def __getattr__(self, name):
        """Say of one that was closed why it lacks what it is asked for."""
        if self.closed:
            raise AttributeError(f"this {self.kind} {GONE}, so it has no {name!r} any more")
        return self.__getattribute__(name)  # which raises what is usual

    def replace_earlier(self) -> None:
        """Close what this cell showed of this kind; a replay closes no lab, since it may be made from one.

        Call it when this is built: what could not be built cannot be closed.
        """
        here = _cell(), self.kind
        earlier = CellOutput._shown.get(here, lambda: None)()
        if earlier is not None:
            earlier.close()
        CellOutput._shown[here] = weakref.ref(self)

    def attach(self, player: Player, snapshot: type[StaticSnapshot] = StaticSnapshot) -> None:
        """Draw what `player` plays."""
        self.player = player
        self.redraw = RedrawThrottle(self._draw, player.loop)
        player.on_show = self._on_show
        self.style = widgets.HTML(page_style(), layout={"display": "none"})
        self.liveness, self.snapshot = PageLiveness(), snapshot(self)

    def lay_out(self, *children: widgets.Widget) -> None:
        """Put the page together and draw it for the first time."""
        if not isinstance(self, widgets.VBox):
            self.page = widgets.VBox()
        self.page.children = (*children, self.liveness)
        self.page.add_class("rdskd-box")
        self._follow()
        self._draw()

    def pause(self) -> None:
        """Stop before the next step."""
        self.player.pause()

    def close(self) -> None:
        """Stop playing, leave the page and free the memory."""
        if self.closed:
            return
        self.player.close()
        self.redraw.stop()
        self.snapshot.stop()
        self._leave()

    def _leave(self) -> None:
        """Take the page away and forget everything: a notebook keeps every value that a cell ever had."""
        close(self.page)
        vars(self).clear()
        self.closed = True

    def _on_show(self, force: bool) -> None:
        self._follow()
        self.redraw(force)

    def _follow(self) -> None:
        """Set the controls as the model is now."""

    def _draw(self) -> None:
        raise NotImplementedError

    def _pause_unwatched(self) -> None:
        if self.player.playing and self.liveness.unwatched:
            self.player.stop(f"Paused, because no page has shown this {self.kind} for a while.")

    def _ipython_display_(self):
        if self.closed:
            print(f"This {self.kind} {GONE}.")
            return
        self._fill()
        self.snapshot.display()

    def _fill(self) -> None:
        """Make sure that there is something to show, where nobody can press Play."""


def _cell() -> str:
    """Return which cell is being run, where the front end says so; else the same answer for all."""
    try:
        from IPython import get_ipython

        return get_ipython().get_parent()["metadata"]["cellId"]
    except (AttributeError, KeyError, TypeError):
        return ""
