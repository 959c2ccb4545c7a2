"""A recorded run, played forwards or backwards at any speed; nothing is trained.

    from rdskd_lab.lab import Replay
    Replay("run.npz")                           # or Replay(lab.trace)

The screen is the lab's own, shown a recorded state in the place of a live one.  The player is the lab's too; one of its
steps is one picture, some steps of the run further on or back.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import ipywidgets as widgets
from torch import nn

from ..drawing.recorded import recorded_state
from ..drawing.view import sentence
from ..session.player import Player
from ..session.trace import RecordedStep, Trace
from ..session.tracefile import open_trace
from .cell_output import CellOutput
from .redraw_throttle import FASTEST
from .screen import Screen

SPEED, FASTEST_SPEED = 50, 10_000  # steps of the run per second; the first is about what two cores train live


class Replay(CellOutput):
    """A trace, or the file of one, with buttons to play it.

    caption   HTML of the caller's own, shown above: never that of somebody else's file
    mode      as a lab's; "inline" shows the last moment
    teacher   needed to resume a run that had a teacher of the learner's own
    go_on     what "Continue from here" does with the step; without it, a lab takes the place of the replay
    """

    kind = "replay"
    open_lab: Callable  # how a lab is made of a trace and a step; set by lab.py, since a lab can look back

    def __init__(
        self,
        trace: Trace | Path | str,
        *,
        caption: str = "",
        mode: str | None = None,
        teacher: nn.Module | None = None,
        go_on: Callable[[int], None] | None = None,
    ):
        found = trace if isinstance(trace, Trace) else open_trace(trace)
        self.teacher, self._go_on = teacher, go_on or self._open_lab
        self.lab = None  # the one in which the run goes on
        self.attach(Player(self._pictures, on_step=self._on_picture, mode=mode, at_once=10**9))
        self.player.slow = True  # it rests between two pictures
        self.caption, self.screen = widgets.HTML(), Screen(self.act)
        self.head = widgets.VBox([self.style, self.caption])  # stays when a lab takes the place
        self._set_rate(SPEED)
        self._load(found, caption)
        self.lay_out(self.head, self.screen)
        self._replay = self.page.children
        if go_on is None:
            self.replace_earlier()

    @property
    def step(self) -> int:
        """Steps of the run that are shown."""
        return round(self._at)

    # ---- what a learner may do, from a cell or with the controls

    def play(self, direction: int = 1) -> None:
        """Play forwards (1) or backwards (-1) to the end, or until paused; from the other end if it is there."""
        self.player.ask(partial(self._turn, direction))
        self.player.play()

    def go(self, step: int) -> None:
        """Show the run after `step` steps, or the nearest that there is."""
        self.player.ask(partial(self._place, step))

    def set_rate(self, rate: float) -> None:
        """Play this many steps of the run in a second, 1 to 10,000."""
        if not 1 <= rate <= FASTEST_SPEED:
            raise ValueError(f"a speed lies between 1 and {FASTEST_SPEED:,} steps a second; it is {rate}")
        self.player.ask(partial(self._set_rate, rate))

    def act(self, action: dict) -> None:
        """Do what the page asks for, {"do": name, ...}; what cannot be done is answered by a sentence."""
        does = {
            "play": lambda how: self.play(),
            "backwards": lambda how: self.play(-1),
            "pause": lambda how: self.pause(),
            "go": lambda how: self.go(int(how["step"])),
            "step_by": lambda how: self._step_by(int(how["steps"])),
            "rate": lambda how: self.set_rate(float(how["value"])),
            "continue": lambda how: self._press_on(),
        }
        try:
            does[action["do"]](action)
        except (ValueError, KeyError, TypeError) as error:
            self.player.pause(f"That cannot be done: {str(error)[:200]}.")

    def load(self, trace: Trace | Path | str, caption: str = "") -> None:
        """Show another trace, from its beginning; a lab that had gone on from this one is closed."""
        found = trace if isinstance(trace, Trace) else open_trace(trace)
        self.player.ask(partial(self._load, found, caption))

    def go_on(self) -> None:
        """Turn into a live lab at this step, which is `lab` from then on: see `Lab.go_on`."""
        self._press_on()
        self.player.settle()  # a cell that calls this wants its lab in the next line

    def close(self) -> None:
        """Stop, leave the page and free the memory; close the lab that took the place, too."""
        if not self.closed and self.lab is not None:
            self.lab.close()
        super().close()

    # ---- on the main thread, between two pictures

    def _pictures(self) -> Iterator[float]:
        while True:
            self._place(self._at + self.direction * self.rate * self.player.rest)
            yield self._at

    def _on_picture(self, at):
        if at == (len(self.trace) if self.direction > 0 else 0):
            self.player.stop(f"This is the {'end' if self.direction > 0 else 'beginning'}.")
        if self.player.loop is not None:
            self._on_show(True)

    def _turn(self, direction):
        self.direction = direction
        if self._at == (len(self.trace) if direction > 0 else 0):
            self._at = 0.0 if direction > 0 else float(len(self.trace))

    def _place(self, step):
        self._at = float(min(max(step, 0), len(self.trace)))

    def _set_rate(self, rate):
        self.rate, self.player.rest = rate, max(FASTEST, 1 / rate)

    def _close_lab(self):
        if self.lab is not None:
            self.page.children, self.snapshot.id = self._replay, self.lab.snapshot.id
            lab, self.lab = self.lab, None
            lab.close()

    def _load(self, trace, caption):
        self._close_lab()
        self.trace, self._at, self.direction, self.beside, self.titles = trace, 0.0, 1, None, ()
        self.caption.value = f'<div class="rdskd">{caption}</div>' if caption else ""
        self.player.stop("Ready.")

    def state(self) -> dict:
        """Return what the screen shows."""
        playing, shown = self.player.playing, self.experiment
        of = "" if self.look.step == shown.done else f" The images are those of step {self.look.step:,}."
        what = f"Playing {'forwards' if self.direction > 0 else 'backwards'}." if playing else self.player.reason
        how = dict(rate=self.rate, leave="Continue from here", playing=playing, titles=self.titles)
        how["reason"] = f"{what} A recording of {len(self.trace):,} steps; nothing is trained.{of}"
        return recorded_state(self.trace, self.step, how, self.beside)

    def _draw(self):
        self.experiment = shown = RecordedStep(self.trace, self.step)
        self.record, self.look = shown.record, shown.look()
        self.screen.show(self.state())
        self.liveness.say(lambda: sentence(shown, self.record, self.look), self.player.playing)
        self.snapshot.renew(self.player.playing)

    def _press_on(self):
        self.player.ask(lambda: self._go_on(self.step))

    def _open_lab(self, step):
        lab = self.open_lab(self.trace, step, mode=self.player.mode, teacher=self.teacher)
        self._close_lab()  # one that it was turned into before
        self.lab = lab
        self.page.children = (self.head, lab.page)
        lab.snapshot.id, self.snapshot.id = self.snapshot.id, None

    def _step_by(self, steps):
        self.player.ask(lambda: self._place(self.step + steps))

    def _fill(self):
        if self.player.mode == "inline" and not self.step:
            self.go(len(self.trace))
