"""All that the lab's screen shows, as plain numbers, texts and lists, so that a page can draw it without a kernel."""

import math

import numpy as np
import torch

from ...objective import ANCHORS
from .experiment import PLAYABLE, effective
from .record import STUDENT, WINDOW, rule_of, words_of
from .twin import shortly, title_of

POINTS = 400  # of a curve at most
CURVES = 150  # steps of the two curves beside the bars of F
TITLES = {"rdskd+bn": "RDSKD + BatchNorm statistics"}
ORIGINAL = ("oh", "ie", "ds")  # RDSKD's own terms


def terms(objective) -> dict[str, dict]:
    """Return how each term is set: on, weight, damped, strength, rule."""
    return {
        name: {field: getattr(t, field) for field in ("on", "weight", "damped", "strength")} | {"rule": rule_of(t)}
        for name, t in objective.items()
    }


def numbers(lab) -> dict:
    """Return the headline numbers: effective classes, the teacher's certainty, the student, steps a second, F."""
    record = lab.record
    damped = [name for name, term in lab.experiment.objective.items() if term.on and term.damped]
    return {
        "classes": plain(effective(lab.experiment.shares())),
        "of": len(lab.experiment.classes),
        "certainty": plain(lab.look.confidence.mean()),
        "student": plain(record.student["accuracy"][-1]) if record.student["step"] else None,
        "speed": plain(lab.speed),
        "fluctuation": {name: record.fluctuation(name) for name in damped},
    }


def screen_state(lab) -> dict:
    """Return the state that the screen draws; `lab` is a Lab after a drawing."""
    return {"run": run_state(lab), "live": live_state(lab)}


def run_state(lab) -> dict:
    """Return what changes only with the run or with an edit."""
    experiment, titles = lab.experiment, _titles(lab.experiment.objective)
    return {
        "id": lab.run_id,
        "method": experiment.method,
        "method_title": title_of_method(experiment.method),
        "seed": experiment.seed,
        "device": str(experiment.run.device),
        "classes": experiment.classes,
        "channels": experiment.run.channels,
        "size": experiment.run.size,
        "start": experiment.start,
        "real": _real(lab),
        "student_label": f"student on {experiment.tested_on}"
        if experiment.tested_on
        else "student agrees with the teacher",
        "methods": [[name, title_of_method(name)] for name in PLAYABLE],
        "rules": list(ANCHORS),
        "terms": [about(k, name, experiment) for k, name in enumerate(experiment.objective)],
        "edits": [[edit.step, shortly(edit, titles), edit.term] for edit in lab.record.edits],
        "only": lab.only if lab.only in (STUDENT, *experiment.objective) else "",
    }


def live_state(lab) -> dict:
    """Return what changes with every step."""
    experiment, record, twin, look = lab.experiment, lab.record, lab.twin, lab.look
    strengths = {term.strength for term in experiment.objective.values() if term.damped}
    stage = lab.slow_motion.rehearsal and lab.slow_motion.rehearsal.stages[lab.slow_motion.at].name
    beside = {"on": twin is not None}
    if twin is not None:
        beside |= {"kind": twin.kind, "since": twin.since, "sentence": twin.sentence(record), "verdict": twin.verdict}
    return {
        "step": experiment.done,
        "speed": plain(lab.speed),
        "playing": lab.player.playing,
        "reason": lab.reason,
        "learning": experiment.learning,
        "slow": lab.player.slow,
        "stage": _stage(stage, experiment.objective),
        "told": lab.told,
        "numbers": {k: v for k, v in numbers(lab).items() if k in ("classes", "of", "certainty", "student")},
        "terms": {name: _term(lab, name) for name in experiment.objective},
        "strength": strengths.pop() if len(strengths) == 1 else None,
        "sheet": {
            "png": lab.encode(look.images),
            "columns": 8,
            "labels": look.labels.tolist(),
            "certainty": [plain(x) for x in look.confidence],
            "changed": _changed(lab),
        },
        "shares": experiment.shares().tolist(),
        "twin_shares": twin.experiment.shares().tolist() if twin else None,
        "charts": charts(lab),
        "fluctuation": fluctuation(lab),
        "twin": beside,
    }


def charts(lab) -> dict:
    """Return the courses of each term on the fixed probe, of the student and of the classes, with the twin's."""
    record, twin = lab.record, lab.twin
    at = _shown(record.probe["step"], lab.window, lab.experiment.done)
    steps = [record.probe["step"][k] for k in at]

    def course(name, columns="probe"):
        mine = getattr(record, columns)
        return {
            "steps": steps,
            "value": [plain(mine[name][k]) for k in at],
            "twin": None if twin is None else _beside(steps, getattr(twin.record, columns), name, twin.since),
        }

    found = {}
    for name, term in lab.experiment.objective.items():
        drawn = course(name)
        found[name] = {"steps": steps, "probe": drawn["value"], "twin": drawn["twin"]}
        found[name]["anchor"] = [anchor_after(record, name, step, term) for step in steps]
    student = record.student
    kept = _shown(student["step"], lab.window, lab.experiment.done)
    when = [student["step"][k] for k in kept]
    return {
        "window": lab.window,
        "terms": found,
        "classes": course("classes", "seen"),
        "certainty": course("certainty", "seen"),
        "student": {
            "steps": when,
            "value": [plain(student["accuracy"][k]) for k in kept],
            "twin": _beside(when, twin.record.student, "accuracy", twin.since) if twin else None,
        },
    }


def fluctuation(lab) -> dict | None:
    """Return F of each damped term that is on, with its standard error; None before it can be told.

    The twin's stands beside it where the two differ in damping, and then both are of the steps since they parted.
    """
    experiment, record, twin = lab.experiment, lab.record, lab.twin
    against = twin if twin is not None and twin.differs_in_damping(experiment) else None
    found = {}
    for name, term in experiment.objective.items():
        damped = term.damped or (against is not None and against.experiment.objective[name].damped)
        mine = record.fluctuation(name)
        if term.on and damped and mine:
            found[name] = {"mine": list(mine), "twin": None}
            if against is not None:
                its = against.record.fluctuation(name, WINDOW, against.since)
                found[name]["twin"] = None if its is None else list(its)
    if not found:
        return None
    sentence = f"The mean rise of a loss in a step, on the same images, over the last {WINDOW} steps."
    if against is not None:
        short = against.lag < WINDOW
        wait = f"Too early to tell: the runs differ for {against.lag} steps, and {WINDOW} are needed."
        sentence = wait if short else against.fluctuation_sentence(record, WINDOW)
    return {"window": WINDOW, "terms": found, "curves": CURVES, "sentence": sentence}


def title_of_method(name: str) -> str:
    """Return a method's name as its paper writes it."""
    return TITLES.get(name, name.upper())


def shortly_told(edit, objective) -> str:
    """Name an edit by its term's purpose: 'class diversity off'."""
    return shortly(edit, _titles(objective))


# ---- private ---------------------------------------------------------------------------------------------------------


def plain(value) -> float | None:
    """A number that JSON can hold: none for one that is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _titles(objective) -> dict[str, str]:
    return {name: title_of(words_of(objective, name))[0].lower() for name in objective}


def about(k: int, name: str, experiment) -> dict:
    """What a term is, for its card."""
    words = words_of(experiment.objective, name)
    title, purpose = title_of(words)
    extra = experiment.method.startswith("rdskd") and name not in ORIGINAL
    return {part: getattr(words, part) for part in ("name", "formula", "unit", "range")} | {
        "key": name,
        "title": title,
        "purpose": purpose,
        "card": min(k, 2),
        "extra": extra,
        "note": "not in RDSKD" if extra else "",
        "colour": k,
        "dampable": True,
    }


def _term(lab, name: str) -> dict:
    term, look = lab.experiment.objective[name], lab.look
    raw = look.raw[name]
    return terms(lab.experiment.objective)[name] | {
        "raw": plain(raw),
        "anchor": plain(term.anchor) if term.damped and term.anchor else None,
        "gain": plain(term.gain(torch.tensor(raw)).item()),
        "pull": plain(look.share[name]),
        "clamped": lab.record.clamped(name),
    }


def _stage(name: str | None, objective) -> str | None:
    """Which of the five boxes a stage of the next step belongs to."""
    if name is None:
        return None
    head = name.split(":")[0]
    if head in objective or head == "sum":
        return "losses"
    return head if head in ("latents", "generator", "images", "teacher", "student") else "gradient"


def _changed(lab) -> list[bool]:
    """Whether each image's label differs from the twin's, or from that before the last edit."""
    labels = lab.look.labels.tolist()
    other = lab.twin_labels or lab.before or labels
    return [mine != its for mine, its in zip(labels, other, strict=True)]


def _real(lab) -> dict | None:
    """One test image of each class, in a row."""
    test = lab.experiment.test
    if test is None:
        return None
    found = [(test.labels == k).nonzero() for k in range(len(test.classes))]
    first = torch.stack([test.images[at[0, 0]] if len(at) else torch.zeros_like(test.images[0]) for at in found])
    name = "real digits" if test.name.startswith("digits") else test.name
    return {"name": name, "png": lab.encode(first.cpu().numpy(), len(first))}


def _shown(steps, window: int, done: int) -> list[int]:
    """Choose which entries a curve shows: those of the window, POINTS at most, the last always."""
    first = int(np.searchsorted(np.array(steps), done - window)) if window else 0
    at = list(range(first, len(steps)))
    stride = -(-len(at) // POINTS) or 1
    return at[::-1][::stride][::-1]


def _beside(steps: list[int], columns: dict, name: str, since: int) -> list[float | None]:
    """The twin's values at the same steps; none before it began."""
    its = dict(zip(columns["step"], columns[name], strict=True))
    return [plain(its[step]) if step >= since and step in its else None for step in steps]


def anchor_after(record, name: str, step: int, term) -> float | None:
    """The anchor that the step after `step` is damped by; none before there is one, or while it is not damped."""
    column, anchor, damped = record.columns[f"{name}_anchor"], term.anchor, term.damped
    if step < len(column):
        anchor, damped = column[step], record.columns[f"{name}_damped"][step]
    return plain(anchor) if damped and anchor else None
