"""The lab's one screen: a state goes to the page, actions come from it; `screen.js` draws, and knows no Jupyter.

The state has three parts, so that what did not change is not sent again: `run` (terms, classes, edits), `live`
(numbers, images, curves; at most five times a second), `stage` (one stage of a step taken apart, or nothing).
"""

from collections.abc import Callable
from importlib.resources import files

import anywidget
import traitlets


class Screen(anywidget.AnyWidget):
    """`act(action)` is called with each action of the page, a dict as {"do": "play"}."""

    _esm = (files(__package__) / "screen.js").read_text("utf-8")
    _css = (files(__package__) / "screen.css").read_text("utf-8")
    run = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)
    stage = traitlets.Dict().tag(sync=True)

    def __init__(self, act: Callable[[dict], None]):
        super().__init__()
        self._act = act
        self.on_msg(self._hear)

    def show(self, state: dict, stage: str = "", at: int = 0) -> None:
        """Draw a state, as `session.screen_state` makes it; `stage`: HTML of stage number `at` of the next step."""
        with self.hold_sync():
            self.run, self.live, self.stage = state["run"], state["live"], {"html": stage, "at": at}

    def _hear(self, widget, content, buffers):
        self._act(content)
