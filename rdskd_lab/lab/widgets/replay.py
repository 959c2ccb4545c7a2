"""A recorded run, played like a film: forwards, backwards, at any speed, and nothing is trained.

    from rdskd_lab.lab import Replay
    Replay("run.npz")                           # or Replay(lab.trace)

The pictures are the lab's own `View`, shown a `Scene` of the trace in the place of a live experiment.  The player is
the lab's too; one of its steps is one picture, some steps of the run further on or back.
"""

from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path

import ipywidgets as widgets
from torch import nn

from ...methods.registry import describe
from ...objective import Term
from ..drawing.view import View, sentence
from ..session.player import Player
from ..session.record import rule_of
from ..session.trace import Scene, Trace
from ..session.tracefile import open_trace
from .cell_output import InCell
from .page_liveness import Beacon
from .playback_buttons import button
from .redraw_throttle import FASTEST, Pace
from .scrubber import Scrubber
from .static_snapshot import Postcard
from .term_controls import pull

SPEED, FASTEST_SPEED = 50, 10_000  # steps of the run per second; the first is about what two cores train live


class Replay(InCell):
    """A trace, or the file of one, with buttons to play it.

    caption   HTML of the caller's own, shown above: never that of somebody else's file
    mode      as a lab's; "inline" shows the last moment
    teacher   needed to go on with a run that had a teacher of the learner's own
    go_on     what "Continue from here" does with the step; without it, a lab takes the place of the replay
    """

    kind = "replay"

    def __init__(self, trace: Trace | Path | str, *, caption: str = "", mode: str | None = None,
                 teacher: nn.Module | None = None, go_on: Callable[[int], None] | None = None):  # fmt: skip
        if go_on is None:
            self.occupy()
        self.teacher, self._go_on = teacher, go_on or self._open_lab
        self.lab = None  # the one that went on
        self.player = Player(self._frames, on_step=self._on_frame, mode=mode, at_once=10**9)
        self.player.slow = True  # it rests between two pictures
        self.pace = self.player.on_show = Pace(self._draw, self.player.loop)
        self.view, self.beacon, self.postcard = View(), Beacon(), Postcard(self)
        self.caption, self.terms = widgets.HTML(), widgets.HTML()
        self.head = widgets.VBox([self.view.style, self.caption])  # stays when a lab goes on
        self.bar = Scrubber()
        self.bar.observe(self._placed, "step")
        self._film = (self.head, self.view.status, self.bar, self._controls(), self.terms, self.view.pictures,
                      self.beacon)  # fmt: skip
        self.page = widgets.VBox(self._film)
        self.page.add_class("rdskd-box")
        self._load(trace if isinstance(trace, Trace) else open_trace(trace), caption)
        self._draw()

    @property
    def step(self) -> int:
        """Steps of the run that are shown."""
        return round(self._at)

    # ---- what a learner may do, from a cell or with the controls

    def play(self, direction: int = 1) -> None:
        """Play forwards (1) or backwards (-1) to the end, or until paused; from the other end if it is there."""
        self.player.ask(partial(self._turn, direction))
        self.player.play()

    def pause(self) -> None:
        """Stay at this picture."""
        self.player.pause()

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
        """Stop, leave the page and give the memory back; of the lab that went on, too."""
        if not self.closed and self.lab is not None:
            self.lab.close()
        super().close()

    # ---- on the main thread, between two pictures

    def _frames(self) -> Iterator[float]:
        while True:
            self._place(self._at + self.direction * self.speed.value * self.player.rest)
            yield self._at

    def _on_frame(self, at):
        if at == (len(self.trace) if self.direction > 0 else 0):
            self.player.stop(f"This is the {'end' if self.direction > 0 else 'beginning'}.")
        if self.player.loop is not None:
            self.pace(True)

    def _turn(self, direction):
        self.direction = direction
        if self._at == (len(self.trace) if direction > 0 else 0):
            self._at = 0.0 if direction > 0 else float(len(self.trace))

    def _place(self, step):
        self._at = float(min(max(step, 0), len(self.trace)))

    def _load(self, trace, caption):
        if self.lab is not None:
            self.page.children, self.postcard.id = self._film, self.lab.postcard.id
            lab, self.lab = self.lab, None
            lab.close()
        self.trace, self._at, self.direction = trace, 0.0, 1
        self.caption.value = f'<div class="rdskd">{caption}</div>' if caption else ""
        self.player.stop("Ready.")

    def _draw(self):
        playing, n = self.player.playing, len(self.trace)
        self.experiment = scene = Scene(self.trace, self.step)
        self.record, self.look = scene.record, scene.look()
        of = "" if self.look.step == scene.done else f" The pictures are those of step {self.look.step:,}."
        what = f"Playing {'forwards' if self.direction > 0 else 'backwards'}." if playing else self.player.reason
        self.view.say(f"{what} A recording of {n:,} steps; nothing is trained.{of}", scene)
        self.terms.value = table(scene)
        self.view.show(scene, self.record, self.look)
        self.place.max, self.place.value = n, scene.done
        self.bar.last, self.bar.step = n, scene.done
        self.beacon.tell(lambda: sentence(scene, self.record, self.look), playing)
        self.postcard.renew(playing)

    def _press_on(self):
        self.player.ask(lambda: self._go_on(self.step))

    def _open_lab(self, step):
        from ..lab import Lab  # which imports this module, since a lab can look back

        self.lab = lab = Lab.go_on(self.trace, step, mode=self.player.mode, teacher=self.teacher)
        self.page.children = (self.head, lab.page)
        lab.postcard.id, self.postcard.id = self.postcard.id, None

    # ---- building

    def _controls(self):
        self.forwards = button("Play", "play", "Play forwards", self.play)
        self.backwards = button("Play backwards", "backward", "Play backwards", partial(self.play, -1))
        self.halt = button("Pause", "pause", "Stay at this picture", self.pause)
        self.back = button("Step back", "step-backward", "One step back", lambda: self.go(self.step - 1))
        self.one = button("Step", "step-forward", "One step on", lambda: self.go(self.step + 1))
        narrow = {"width": "170px"}
        self.place = widgets.BoundedIntText(0, min=0, max=0, description="go to step", layout=narrow)
        self.place.observe(self._placed, "value")
        self.speed = widgets.BoundedIntText(SPEED, min=1, max=FASTEST_SPEED, step=10, description="steps a second",
                                            style={"description_width": "initial"}, layout=narrow)  # fmt: skip
        self.speed.observe(lambda _: self._rest(), "value")
        self.on = button("Continue from here", "sign-in", "Train on from this step in a live lab", self._press_on)
        self._rest()
        buttons = (self.forwards, self.backwards, self.halt, self.back, self.one)
        return widgets.HBox([*buttons, self.place, self.speed, self.on],
                            layout={"flex_flow": "row wrap", "align_items": "center"})  # fmt: skip

    def _placed(self, change):
        if change["new"] != self.step:  # and not what was drawn just now
            self.go(change["new"])

    def _rest(self):
        self.player.rest = max(FASTEST, 1 / self.speed.value)

    def _fill(self):
        if self.player.mode == "inline" and not self.step:
            self.go(len(self.trace))


def table(scene: Scene) -> str:
    """A line per term, as it was set at that step, with what it said to the pictures that are shown; as HTML."""
    lines = (
        f'<div class="told{"" if term.on else " off"}"><b>{escape(name)}: {escape(describe(name).name)}</b>'
        f"<span>{settings(term)}</span>{pull(term, scene.look(), name)}</div>"
        for name, term in scene.objective.items()
    )
    return f'<div class="rdskd">{"".join(lines)}</div>'


def settings(term: Term) -> str:
    """'on, weight 1, damped, anchor epoch': how a term is set."""
    damping = f"damped, anchor {rule_of(term) or 'own'}" if term.damped else "not damped"
    return f"{'on' if term.on else 'off'}, weight {term.weight:g}, {damping}"
