"""The buttons that drive a player: play, pause, step, step x 10, slow motion."""

from functools import partial

import ipywidgets as widgets

from ..session.player import Player
from .control import Control
from .redraw_throttle import RedrawThrottle


def button(label: str, icon: str, tooltip: str, press) -> widgets.Button:
    """Make a button with a word on it, for the eye and for screen readers; `press()` when it is pressed."""
    made = widgets.Button(description=label, icon=icon, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(lambda _: press())
    return made


class PlaybackButtons(widgets.VBox):
    """Buttons for a `Player`, and a line that says what it is doing; a notebook shows it as a cell's value.

    extra   further controls for the row of buttons
    status  where the player's sentence goes; without it, this shows its own, at most five times a second
    """

    def __init__(self, player: Player, extra: tuple[widgets.Widget, ...] = (), status: widgets.HTML | None = None):
        self.player = player
        self.play = button("Play", "play", "Train until paused", player.play)
        self.pause = button("Pause", "pause", "Stop before the next step", player.pause)
        self.one = button("Step", "step-forward", "Train one step", lambda: player.play(1))
        self.ten = button("Step x 10", "fast-forward", "Train ten steps", lambda: player.play(10))
        self.slow = widgets.Checkbox(False, description="slow motion", indent=False, layout={"width": "auto"})
        self._slow = Control(self.slow, lambda on: player.ask(partial(setattr, player, "slow", on)))
        buttons = [self.play, self.pause, self.one, self.ten, self.slow, *extra]
        row = widgets.HBox(buttons, layout={"flex_flow": "row wrap", "align_items": "center"})
        if status is None:
            self.status = widgets.HTML()
            player.on_show = RedrawThrottle(self._say, player.loop)
            self._say()
        super().__init__([row] if status else [row, self.status])

    def follow(self) -> None:
        """Set the controls as the player is."""
        self._slow.follow(value=self.player.slow)

    def _say(self):
        self.follow()
        self.status.value = f"{self.player.pulled:,} steps. {self.player.reason}"
