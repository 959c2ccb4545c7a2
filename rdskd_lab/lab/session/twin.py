"""The twin: the run as it would be without your edit, from the same weights and latents, bit for bit.

Both make a step in turn, so whatever differs afterwards was caused by the edit.  But any edit, even one that means
nothing, makes two runs drift apart.  So a difference counts only beyond what a null edit (one weight x 1.0001) comes to
at the same lag: `Band`, measured by benchmarks/null_edits.py and stored with the package.
"""

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files

import numpy as np

from .experiment import PLAYABLE, Experiment, played
from .record import STUDENT, Edit, Record, words_of

SMOOTH = 10  # measurements whose mean is compared: 20 steps
SOONEST, LAST = 200, 300  # steps: before, "no difference" is never said; then the watch ends
UNDAMPED = "without damping"


class Band:
    """How far runs that differ by nothing come to differ, by quantity and lag; `critical` times that is beyond luck.

    It was measured for one method, its classroom settings, the shipped teacher and the terms as the method has them.
    """

    def __init__(self, facts: dict):
        self.lags, self.critical = np.array(facts["lags"]), facts["critical"]
        self.spread = {name: np.array(values) for name, values in facts["spread"].items()}
        self.method = facts["method"]
        self.fluctuation = facts["fluctuation"]  # of ln(F / F of the twin): its spread and critical value, by term

    def suits(self, experiment: Experiment) -> bool:
        """Return whether it was measured for runs like this one, whose damping may be any."""
        ours = PLAYABLE.get(self.method)
        if experiment.method != self.method or experiment.own_teacher or experiment.start:
            return False
        table = ours.terms().weigh(ours.presets["classroom"].weights)
        same = all((t.on, t.weight) == (table[n].on, table[n].weight) for n, t in experiment.objective.items())
        return same and experiment.run.settings == played(ours.presets["classroom"])

    def beyond(self, name: str, lag: int, difference: float) -> bool:
        """Return whether a smoothed difference after `lag` steps is more than luck."""
        spread = np.interp(lag, self.lags, self.spread[name])
        return bool(abs(difference) > self.critical[name] * spread)


@cache
def stored_band() -> Band | None:
    """Read the band that is shipped."""
    path = files("rdskd_lab") / "assets" / "null_edits.json"
    return Band(json.loads(path.read_text("utf-8"))) if path.is_file() else None


class Twin:
    """A run beside the lab's run, from the same state.  `edits`: those of the lab that it goes without."""

    def __init__(self, experiment: Experiment, record: Record):
        self.experiment, self.since = experiment.copy(), experiment.done
        self.record = record.until(self.since, self.experiment.objective)
        self.edits: tuple[Edit, ...] = ()
        band = stored_band()
        self.band = band if band is not None and band.suits(experiment) else None
        self.found: list[str] = []  # quantities that were once beyond luck, in that order
        self._steps = self.experiment.steps()

    def undamped(self) -> "Twin":
        """Damp no term from here on; this is what the twin without an edit does."""
        for name, term in self.experiment.objective.items():
            if term.damped:
                self.follow(Edit(self.since, name, "damped", False))
        return self

    @property
    def kind(self) -> str:
        """What it goes without, in a few words."""
        return f"without your last edit: {self.without()}" if self.edits else UNDAMPED

    def without(self) -> str:
        """Name the edits that it goes without: 'class diversity off'."""
        terms = {edit.term for edit in self.edits}
        if len(self.edits) > 1 and len({(edit.field, edit.value) for edit in self.edits}) == 1 and len(terms) > 1:
            return f"{shortly(replace(self.edits[0], term='all damped terms'), {})}"
        return ", ".join(shortly(edit, self.titles) for edit in self.edits)

    @property
    def titles(self) -> dict[str, str]:
        """Each term's purpose in a word or two, in lower case."""
        objective = self.experiment.objective
        return {name: title_of(words_of(objective, name))[0].lower() for name in objective}

    def step(self, experiment: Experiment, record: Record) -> None:
        """Make the step that the lab's run has just made, and compare the two when both are measured."""
        self.record.add(next(self._steps), self.experiment.objective)
        done = self.experiment.done
        if done != experiment.done:
            raise RuntimeError(f"the twin is at step {done:,} and the run at {experiment.done:,}")
        if record.probe["step"] and record.probe["step"][-1] == done:
            self.record.add_measured(done, self.experiment.measure())
            self._judge(record)

    def follow(self, edit: Edit) -> None:
        """Make an edit, one that both have or one of its own, and note it, so that its run can be repeated."""
        if self.experiment.change(edit):
            self.record.edits.append(edit)

    def differs_in_damping(self, experiment: Experiment) -> bool:
        """Return whether some term that is on is damped otherwise in the run than in its twin."""
        pairs = [(term, self.experiment.objective[name]) for name, term in experiment.objective.items()]
        return any(mine.on and _damping(mine) != _damping(its) for mine, its in pairs)

    # ---- what it may say

    def values(self, record: Record, name: str) -> tuple[float, float]:
        """Return a quantity now, mean of the latest measurements since the edit: of the run, and of its twin."""
        both = []
        for one in record, self.record:
            column = (one.seen if name in one.seen else one.probe)[name]
            both.append(float(np.mean(column[-min(SMOOTH, self.measured()) :])))
        return both[0], both[1]

    def measured(self) -> int:
        """Return how often both were measured since the edit."""
        return int((np.array(self.record.probe["step"]) > self.since).sum())

    def _judge(self, record: Record) -> None:
        lag = self.experiment.done - self.since
        if self.band is None or lag > LAST:
            return
        for name in self.band.spread:
            mine, its = self.values(record, name)
            if name not in self.found and self.band.beyond(name, lag, mine - its):
                self.found.append(name)

    @property
    def lag(self) -> int:
        """Steps since the edit."""
        return self.experiment.done - self.since

    @property
    def verdict(self) -> str:
        """Say "different", "same" (as far as luck lets one see), or "early"."""
        if self.found:
            return "different"
        return "same" if self.band is not None and self.lag >= LAST else "early"

    def sentence(self, record: Record) -> str:
        """Say what may be said of the edit by now."""
        if self.verdict == "same":
            return f"No difference beyond luck after {LAST} steps."
        steps = f"{self.lag:,} step{'s' * (self.lag != 1)}"
        did = f"you {told(self.edits, self.titles)}" if self.edits else "the twin began, which goes on without damping,"
        if self.found:
            order = [name for name in ("classes", "certainty") if name in self.found]
            shown = [*order, *(name for name in self.found if name not in order)][:2]
            return f"Since {did} {steps} ago: {', '.join(self._change(name, record) for name in shown)}"
        if self.band is None:
            change = f" Now {self._change('classes', record)}, {self._change('certainty', record)}." if self.lag else ""
            return f"{steps} since {did}.{change} Not tested against luck, which was measured for RDSKD as it comes."
        return f"Too early to tell: {steps} since {did}."

    def _change(self, name: str, record: Record) -> str:
        mine, its = self.values(record, name)
        if name == "classes":
            return f"classes {its:.1f} → {mine:.1f}"
        if name == "certainty":
            return f"the teacher's certainty {100 * its:.0f} → {100 * mine:.0f} %"
        return f"{loss_of(words_of(self.experiment.objective, name))} {its:.3g} → {mine:.3g}"

    def fluctuation_sentence(self, record: Record, window: int) -> str:
        """Compare how much the damped losses jump in both, which differ in damping."""
        said = []
        for name in self.experiment.objective:
            mine, its = (one.fluctuation(name, window, self.since) for one in (record, self.record))
            known = self.band.fluctuation.get(name) if self.band else None
            if mine and its and known and mine[0] > 0 and its[0] > 0:
                ratio = np.log(mine[0] / its[0])
                if abs(ratio) > known["critical"] * known["spread"]:
                    share = abs(1 - mine[0] / its[0])
                    more = "less" if ratio < 0 else "more"
                    loss = loss_of(words_of(self.experiment.objective, name))
                    said.append(f"{loss} jumps {100 * share:.0f} % {more} than in its twin")
        if said:
            return f"With this damping {' and '.join(said)}."
        if self.band is None:
            return "Not tested against luck, which was measured for RDSKD as it comes."
        return "No difference so far."


# ---- words -----------------------------------------------------------------------------------------------------------


def title_of(words) -> tuple[str, str]:
    """Split what a term is for into a title and a sentence: ('Authenticity', 'the teacher should be sure of ...')."""
    first = words.purpose.split(". ")[0].rstrip(".")
    title, colon, rest = first.partition(":")
    return (title, rest.strip()) if colon else (words.name[:1].upper() + words.name[1:], first)


def loss_of(words) -> str:
    """Name a loss by its title, as its card does: 'the loss of class diversity'; or by its name, if it has no other."""
    title = title_of(words)[0]
    return f"the {words.name}" if title.lower() == words.name.lower() else f"the loss of {title.lower()}"


def shortly(edit: Edit, titles: dict[str, str]) -> str:
    """Name an edit by the purpose of its term: 'class diversity: damping off'."""
    name = titles.get(edit.term, edit.term)
    if edit.term == STUDENT:
        return f"student {'learns' if edit.value else 'rests'}"
    return {
        "on": f"{name} {'on' if edit.value else 'off'}",
        "weight": f"{name} x {edit.value}",
        "damped": f"{name}: damping {'on' if edit.value else 'off'}",
        "rule": f"{name}: anchor {edit.value}",
        "strength": f"{name}: damping x {edit.value}",
    }[edit.field]


def told(edits: tuple[Edit, ...], titles: dict[str, str]) -> str:
    """Say what was done: 'switched class diversity off'."""
    if len(edits) > 1:
        strengths = {edit.value for edit in edits if edit.field == "strength"}
        if len(strengths) == 1 and all(edit.field == "strength" for edit in edits):
            return f"set the strength of all damping to {strengths.pop():g}"
        return f"made {len(edits)} edits"
    edit = edits[0]
    name = titles.get(edit.term, edit.term)
    if edit.term == STUDENT:
        return f"let the student {'learn' if edit.value else 'rest'}"
    return {
        "on": f"switched {name} {'on' if edit.value else 'off'}",
        "weight": f"gave {name} the weight {edit.value}",
        "damped": f"switched the damping of {name} {'on' if edit.value else 'off'}",
        "rule": f"chose the anchor {edit.value} for {name}",
        "strength": f"set the strength of damping {name} to {edit.value}",
    }[edit.field]


def _damping(term) -> tuple:
    return (term.strength, term.rule) if term.damped and term.strength else ()
