"""A recorded run, played forwards or backwards at any speed; nothing is trained.

    from rdskd_lab.lab import Replay
    Replay("run.npz")                           # or Replay(lab.trace)

The pictures are the lab's own `View`, shown a `RecordedStep` in the place of a live experiment.  The player is the
lab's too; one of its steps is one picture, some steps of the run further on or back.
"""

from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path

import ipywidgets as widgets
from torch import nn

from ...objective import Term
from ..drawing.view import sentence
from ..session.player import Player
from ..session.record import rule_of, words_of
from ..session.trace import RecordedStep, Trace
from ..session.tracefile import open_trace
from .cell_output import CellOutput
from .control import Control
from .playback_buttons import button
from .redraw_throttle import FASTEST
from .scrubber import Scrubber
from .term_controls import pull

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
        self.rate = SPEED
        self.attach(Player(self._pictures, on_step=self._on_picture, mode=mode, at_once=10**9))
        self.player.slow = True  # it rests between two pictures
        self.caption, self.terms = widgets.HTML(), widgets.HTML()
        self.head = widgets.VBox([self.view.style, self.caption])  # stays when a lab takes the place
        controls = self._controls()
        self._load(found, caption)
        self.lay_out(self.head, self.view.status, self.bar, controls, self.terms, self.view.pictures)
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

    def _load(self, trace, caption):
        if self.lab is not None:
            self.page.children, self.snapshot.id = self._replay, self.lab.snapshot.id
            lab, self.lab = self.lab, None
            lab.close()
        self.trace, self._at, self.direction = trace, 0.0, 1
        self.caption.value = f'<div class="rdskd">{caption}</div>' if caption else ""
        self.player.stop("Ready.")

    def _follow(self):
        self._step.follow(max=len(self.trace), value=self.step)
        self._bar.follow(last=len(self.trace), step=self.step)
        self._speed.follow(value=self.rate)

    def _draw(self):
        playing = self.player.playing
        self.experiment = shown = RecordedStep(self.trace, self.step)
        self.record, self.look = shown.record, shown.look()
        of = "" if self.look.step == shown.done else f" The pictures are those of step {self.look.step:,}."
        what = f"Playing {'forwards' if self.direction > 0 else 'backwards'}." if playing else self.player.reason
        self.view.say(f"{what} A recording of {len(self.trace):,} steps; nothing is trained.{of}", shown)
        self.terms.value = table(shown)
        self.view.show(shown, self.record, self.look)
        self.liveness.say(lambda: sentence(shown, self.record, self.look), playing)
        self.snapshot.renew(playing)

    def _press_on(self):
        self.player.ask(lambda: self._go_on(self.step))

    def _open_lab(self, step):
        self.lab = lab = self.open_lab(self.trace, step, mode=self.player.mode, teacher=self.teacher)
        self.page.children = (self.head, lab.page)
        lab.snapshot.id, self.snapshot.id = self.snapshot.id, None

    # ---- building

    def _controls(self):
        self.forwards = button("Play", "play", "Play forwards", self.play)
        self.backwards = button("Play backwards", "backward", "Play backwards", partial(self.play, -1))
        self.halt = button("Pause", "pause", "Stay at this picture", self.pause)
        self.back = button("Step back", "step-backward", "One step back", partial(self._step_by, -1))
        self.one = button("Step", "step-forward", "One step on", partial(self._step_by, 1))
        self.bar = Scrubber()
        look = dict(layout={"width": "170px"}, style={"description_width": "initial"})
        self.place = widgets.BoundedIntText(0, min=0, max=0, description="go to step", layout=look["layout"])
        self.speed = widgets.BoundedIntText(
            SPEED, min=1, max=FASTEST_SPEED, step=10, description="steps a second", **look
        )
        self._bar, self._step = Control(self.bar, self.go, "step"), Control(self.place, self.go)
        self._speed = Control(self.speed, lambda rate: self.player.ask(partial(self._set_rate, rate)))
        self._set_rate(SPEED)
        self.on = button("Continue from here", "sign-in", "Train on from this step in a live lab", self._press_on)
        buttons = (self.forwards, self.backwards, self.halt, self.back, self.one)
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return widgets.HBox([*buttons, self.place, self.speed, self.on], layout=row)

    def _step_by(self, steps):
        self.player.ask(lambda: self._place(self.step + steps))

    def _fill(self):
        if self.player.mode == "inline" and not self.step:
            self.go(len(self.trace))


def table(shown: RecordedStep) -> str:
    """Write a line per term as HTML: how it was set at that step, and its values on the pictures that are shown."""
    lines = (
        f'<div class="told{"" if term.on else " off"}">'
        f"<b>{escape(name)}: {escape(words_of(shown.objective, name).name)}</b>"
        f"<span>{settings(term)}</span>{pull(term, shown.look(), name)}</div>"
        for name, term in shown.objective.items()
    )
    return f'<div class="rdskd">{"".join(lines)}</div>'


def settings(term: Term) -> str:
    """Describe how a term is set: 'on, weight 1, damped, anchor epoch'."""
    strength = f" x {term.strength:g}" if term.strength != 1 else ""
    damping = f"damped{strength}, anchor {rule_of(term) or 'own'}" if term.damped else "not damped"
    return f"{'on' if term.on else 'off'}, weight {term.weight:g}, {damping}"
