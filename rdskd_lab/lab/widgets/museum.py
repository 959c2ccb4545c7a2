"""Recorded runs that went wrong, or well, in a way worth seeing: predict, play, reveal the cure.  Nothing is trained.

    from rdskd_lab.lab import Museum
    Museum()

An `Exhibit` says how its run was made, what to predict and what to say afterwards; `tools/record_museum.py` makes the
traces in `assets/museum/` from these recipes.  Every number in an answer is read from the trace that is shown.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from html import escape
from importlib.resources import files

import ipywidgets as widgets
import numpy as np

from ...reporting.charts import number
from ..drawing.view import classes_reached
from ..session.experiment import PLAYABLE, Experiment
from ..session.record import Edit
from ..session.trace import Trace, begin
from ..session.tracefile import open_trace
from .control import Control
from .playback_buttons import button
from .replay import Replay

SHIPPED = files("rdskd_lab") / "assets" / "museum"


@dataclass(frozen=True)
class Exhibit:
    """One run: a recipe, a question before it, an answer after it."""

    title: str
    question: str  # HTML, as the next three
    formula: str  # the line that explains it
    shows: Callable[[Trace], str]  # what happened, in this trace's numbers
    cure: str
    steps: int  # of the generator
    method: str = "rdskd"
    seed: int = 0
    edits: tuple[Edit, ...] = ()
    changed: dict = field(default_factory=dict)  # of the preset `classroom`
    fixed: tuple = ()  # (term, field, value) of the edits after which it goes on where the guard stopped it
    beside: str = ""  # key of another exhibit that is shown with this one, in the same charts
    titles: tuple[str, str] = ("", "")  # then: what each of the two is called

    def make(self, seed: int | None = None) -> tuple[Trace, str]:
        """Train it; return the trace, and the sentence with which the guard stopped it on the way, or ""."""
        settings = replace(PLAYABLE[self.method].presets["classroom"], **self.changed)
        experiment = Experiment(self.method, self.seed if seed is None else seed, settings=settings)
        trace, todo = begin(experiment), list(self.edits)
        trace.freeze = self.steps + 1  # no checkpoint
        steps, stopped = experiment.steps(), ""
        while experiment.done < self.steps:
            while todo and todo[0].step == experiment.done:
                edit = todo.pop(0)
                experiment.change(edit)
                trace.record.edits.append(edit)
            try:
                trace.record.add(next(steps), experiment.objective)
                trace.note(experiment)
            except FloatingPointError as error:
                if stopped:  # fixed in vain
                    raise
                steps, stopped = experiment.steps(), str(error)
                todo = [Edit(experiment.done, *edit) for edit in self.fixed] + todo
        return trace, stopped


# ---- what is read off a trace ----------------------------------------------------------------------------------------


def classes(trace: Trace, step: int) -> int:
    """Count the classes with a third of an even share or more in the latest training batches at `step`."""
    return classes_reached(trace.last_moment(step).shares)


def mean(trace: Trace, name: str, start: int, stop: int) -> float:
    """Return the mean of a column (a term, or one of its parts as in "oh_gain") over steps `start` to before `stop`."""
    return float(trace.record.column(name)[start:stop].mean())


def likeness(trace: Trace, start: int, stop: int) -> float:
    """Return the mean correlation of two images' pixels, in [-1, 1], over all pairs of each moment in that span."""
    shown = [moment.look.images.reshape(16, -1) for at, moment in trace.moments.items() if start <= at <= stop]
    pairs = np.triu_indices(16, 1)
    return float(np.mean([np.corrcoef(images.astype(float))[pairs].mean() for images in shown]))


@cache
def about() -> dict:
    """Read what the script saw beside the traces: the guard's sentence, and how the conflict went in other seeds."""
    return json.loads((SHIPPED / "about.json").read_text(encoding="utf-8"))


# ---- the exhibits ----------------------------------------------------------------------------------------------------


def _healthy(trace):
    full = next((at for at in sorted(trace.moments) if classes(trace, at) == 10), None)
    oh, ie = ([number(mean(trace, name, *span)) for span in (FIRST, LAST)] for name in ("oh", "ie"))
    return (
        f"At step {full} all ten classes have at least a third of their even share. The one-hot loss moves little, "
        f"from {oh[0]} to {oh[1]}: to this teacher even the first noise was one class or another. What is learned is "
        f"evenness: the entropy loss goes from {ie[0]} to {ie[1]}, and -2.303 is even."
    )


def _collapse(trace):
    before, after = (number(mean(trace, "oh", at - 20, at)) for at in (80, 280))
    return (
        f"{classes(trace, 80)} classes at step 80, {classes(trace, 280)} at step 280. The one-hot loss got better, "
        f"from {before} to {after}: it is easiest to be sure of a few answers. Then the term comes back, and at step "
        f"{len(trace)} there are {classes(trace, len(trace))} classes again."
    )


def _conflict(trace):
    ends, before, after = about()["conflict"], mean(trace, "oh", 102, 122), mean(trace, "oh", *LAST)
    plain, damped = (sum(value > LOST for value in ends[key]) for key in ("conflict-off", "conflict-on"))
    gain = trace.record.column("oh_gain")[122:].max()
    ds = [number(mean(trace, "ds", *span)) for span in ((102, 122), LAST)]
    return (
        f"The one-hot loss goes from {number(before)} to {number(after)}; its gain is {number(gain)} at most. "
        f"Diversity seeking goes from {ds[0]} to {ds[1]}: answers that are all the same satisfy it as well. This "
        f"seed was picked because its two runs differ. Of seeds 0 to {len(ends['conflict-on']) - 1} the loss ended "
        f"above {LOST} in {plain} without the penalty and in {damped} with it: no difference that the seeds alone do "
        "not make. While a loss rises by a nat the penalty pulls up to e times as hard, which does not match a weight "
        "of 100."
    )


def _alike(trace):
    return (
        f"The mean correlation of two images goes from {number(likeness(trace, 120, 200))} (steps 120 to 200) to "
        f"{number(likeness(trace, 320, 400))} (steps 320 to 400); the eye hardly sees it. With its own weight of 1 the "
        "term makes a hundredth of the pull, and in two seeds no difference was found between on and off; that is why "
        "it is weighed here."
    )


def _dafl(trace):
    act = [number(mean(trace, "act", *span)) for span in (FIRST, LAST)]
    return (
        f"Every gain is {number(trace.record.column('oh_gain').max())}: nothing is damped, and no term compares two "
        f"images. The features grow, act from {act[0]} to {act[1]}; {classes(trace, len(trace))} classes are there at "
        "the end. To generate these digits for this teacher, DAFL does not need what RDSKD adds."
    )


def _explodes(trace):
    largest = trace.record.column("ms").max()
    return (
        f"One step. Then the guard said: <i>{escape(about()['stopped'])}</i> So the damping was taken off, and the "
        f"same step was made: the images had become one, and the loss was {number(largest)}. A plain loss of that size "
        "is a large number; exp of it is none. Afterwards the run recovers."
    )


FIRST, LAST = (0, 5), (-20, None)  # steps
LOST = 0.8  # nats of the one-hot loss, above which the generator no longer makes what the teacher knows
_FIGHT = (Edit(122, "ds", "weight", 100.0), Edit(122, "oh", "weight", 0.3))
_PLAIN = (Edit(0, "oh", "damped", False), Edit(0, "ie", "damped", False))
_ASKED = "At step 122 diversity between samples is weighed 100, and authenticity 0.3. "

EXHIBITS = {
    "healthy": Exhibit(
        "1. a healthy run",
        "RDSKD with nothing changed. Which of the three curves will move most, and when will ten bars stand?",
        "L<sub>G</sub> = exp(L<sub>oh</sub> - a<sub>oh</sub>) + exp(L<sub>ie</sub> - a<sub>ie</sub>) + L<sub>ds</sub>",
        _healthy,
        "Nothing to cure. Compare the others with this one.",
        steps=300,
    ),
    "collapse": Exhibit(
        "2. collapse without class diversity",
        "At step 80 the information entropy loss is switched off, at step 280 on again. What will the bars do? Will "
        "the one-hot loss get better or worse? Can a generator come back?",
        "L<sub>ie</sub> = &Sigma;<sub>k</sub> p&#772;<sub>k</sub> ln p&#772;<sub>k</sub> = -H(p&#772;): the only term "
        "that looks at a batch as a whole",
        _collapse,
        "Keep class diversity on.",
        steps=400,
        edits=(Edit(80, "ie", "on", False), Edit(280, "ie", "on", True)),
    ),
    "conflict-off": Exhibit(
        "3. a conflict, without the penalty",
        f"{_ASKED}No term is damped. Both cannot be had: what will the one-hot loss do?",
        "&part;(w L)/&part;x = w &part;L/&part;x: the pull stays the same however far a loss has risen",
        _conflict,
        "Weigh no term a hundredfold.",
        steps=240,
        seed=1,
        edits=_PLAIN + _FIGHT,
    ),
    "conflict-on": Exhibit(
        "3. a conflict, with the penalty and without",
        f"{_ASKED}Both cannot be had. One run is damped as published, the other not at all: which of the two will end "
        "with the lower one-hot loss?",
        "&part;(w exp(L - a))/&part;x = w exp(L - a) &part;L/&part;x: the pull grows as L rises above its anchor a",
        _conflict,
        "A smaller weight for diversity; the penalty is no cure for a weight.",
        steps=240,
        seed=1,
        edits=_FIGHT,
        beside="conflict-off",
        titles=("with the penalty (damped)", "without the penalty"),
    ),
    "alike": Exhibit(
        "4. alike samples without diversity between them",
        "Diversity between samples is weighed 100 for 200 steps and then switched off. Will you see the pictures grow "
        "alike?",
        "L<sub>ds</sub> = &#8214;P&sup2; - P&sup1;&#8214; / &#8214;x&sup2; - x&sup1;&#8214;: small when two images "
        "differ more than the answers to them",
        _alike,
        "Weigh diversity seeking, and watch the one-hot loss, which pays for it.",
        steps=400,
        edits=(Edit(0, "ds", "weight", 100.0), Edit(200, "ds", "on", False)),
    ),
    "dafl": Exhibit(
        "5. DAFL, the elder relative",
        "DAFL has a one-hot loss, an entropy and an activation loss. What of RDSKD is missing, and what will be the "
        "worse for it?",
        "L<sub>G</sub> = L<sub>oh</sub> + &alpha; L<sub>act</sub> + &beta; L<sub>ie</sub>: a plain sum",
        _dafl,
        "Nothing to cure here.",
        steps=300,
        method="dafl",
    ),
    "explodes": Exhibit(
        "6. an exploding weight",
        "MSKD with a learning rate 60 times the preset's, and its mode seeking loss damped. That loss is one over the "
        "distance of the images, and damping multiplies its pull by exp of its rise. How many steps does that go well?",
        "w exp(L<sub>ms</sub> - a): beyond e<sup>88</sup> it is more than a 32-bit number holds",
        _explodes,
        "A smaller learning rate. Damp losses of about one nat, not the inverse of something small.",
        steps=60,
        method="mskd",
        changed={"lr": 1.0},
        edits=(Edit(0, "ms", "damped", True),),
        fixed=(("ms", "damped", False),),
    ),
}


class Museum(Replay):
    """The shipped exhibits in one page: choose, predict, play, reveal.  `exhibit`: a key of EXHIBITS, shown first."""

    kind = "museum"

    def __init__(self, exhibit: str = "healthy", *, mode: str | None = None):
        self.exhibit: str | None = None  # its key; None when a trace of somebody's own is shown
        hung = {found.beside for found in EXHIBITS.values()}  # beside another
        options = [(found.title, key) for key, found in EXHIBITS.items() if key not in hung]
        self.choice = widgets.Dropdown(options=options, value=None, description="exhibit", layout={"width": "420px"})
        self._choice = Control(self.choice, self.show)
        tooltip = "Say what happened, why, and what helps"
        self.reveal = button("Reveal the cure", "eye", tooltip, lambda: self.player.ask(self._answer))
        super().__init__(open_exhibit(exhibit), caption=_question(exhibit), mode=mode)
        self._hang(exhibit)
        row = widgets.HBox([self.choice, self.reveal], layout={"flex_flow": "row wrap", "align_items": "center"})
        style, caption = self.head.children
        self.head.children = (style, row, caption)
        self._on_show(True)

    def show(self, exhibit: str) -> None:
        """Show an exhibit, a key of EXHIBITS, from its beginning."""
        self.player.ask(partial(self._show, exhibit))

    def _show(self, exhibit):
        self._load(open_exhibit(exhibit), _question(exhibit))
        self._hang(exhibit)

    def _hang(self, exhibit):
        found, self.exhibit = EXHIBITS[exhibit], exhibit
        if found.beside:
            self.beside, self.titles = open_exhibit(found.beside), found.titles

    def _load(self, trace, caption):
        super()._load(trace, caption)
        self.exhibit = None

    def _follow(self):
        listed = [key for _, key in self.choice.options]  # without those that hang beside another
        self._choice.follow(value=self.exhibit if self.exhibit in listed else None)
        self.reveal.disabled = self.exhibit is None

    def _answer(self):
        if self.exhibit is not None:
            found = EXHIBITS[self.exhibit]
            said = {"What happened": found.shows(self.trace), "Why": found.formula, "Cure": found.cure}
            self.caption.value = f'<div class="rdskd">{_question(self.exhibit)}{_paragraphs(**said)}</div>'


def _question(exhibit: str) -> str:
    return _paragraphs(Predict=EXHIBITS[exhibit].question)


def _paragraphs(**said: str) -> str:
    return "".join(f"<p><b>{word}.</b> {text}</p>" for word, text in said.items())


def open_exhibit(key: str) -> Trace:
    """Open a shipped trace, as anybody's file is opened."""
    if key not in EXHIBITS:
        raise ValueError(f"the museum has no exhibit {key!r}; it has {', '.join(EXHIBITS)}")
    return open_trace(SHIPPED / f"{key}.npz")
