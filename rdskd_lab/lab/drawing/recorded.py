"""A step of a recorded run as the state that the lab's screen draws: `session.screen_state`, where nothing trains."""

import numpy as np

from ..session.experiment import effective
from ..session.record import Record
from ..session.screen_state import about, plain, shortly_told, terms, title_of_method
from ..session.trace import RecordedStep, Trace
from .sheet import encode

SMOOTH = 10  # steps over which the loss of the training batches is averaged: alone, each is mostly luck
POINTS = 300  # of a curve at most


def recorded_state(trace: Trace, step: int, how: dict, beside: Trace | None = None) -> dict:
    """Make the state after `step` steps.

    how     `rate`, `leave` (what the button says that goes on from here), `playing`, `reason`; `titles` of both runs
    beside  another run of the same terms, drawn in grey in the same charts and with its images below
    """
    shown = RecordedStep(trace, step)
    other = None if beside is None else RecordedStep(beside, min(step, len(beside)))
    look, student = shown.look(), shown.record.student
    titles = how["titles"] or ("What the generator made", "")
    strengths = {term.strength for term in shown.objective.values() if term.damped}
    run = {
        "id": id(trace), "method": trace.method, "method_title": title_of_method(trace.method), "seed": trace.seed,
        "device": "cpu", "classes": list(trace.classes), "channels": look.images.shape[1], "real": None,
        "student_label": "student", "methods": [["rdskd", "RDSKD"]], "rules": ["epoch", "previous", "average"],
        "terms": [about(k, name, shown) for k, name in enumerate(shown.objective)],
        "edits": [[edit.step, shortly_told(edit, shown.objective), edit.term] for edit in shown.record.edits],
        "recorded": {"steps": len(trace), "rate": how["rate"], "leave": how["leave"]},
    }  # fmt: skip
    live = {
        "step": step, "speed": None, "playing": how["playing"], "reason": how["reason"], "learning": False,
        "slow": False, "stage": None, "strength": strengths.pop() if len(strengths) == 1 else None,
        "numbers": {
            "classes": plain(effective(shown.shares())), "of": len(trace.classes),
            "certainty": plain(look.confidence.mean()),
            "student": plain(student["accuracy"][-1]) if len(student["step"]) else None,
        },
        "terms": {name: _term(shown, name) for name in shown.objective},
        "sheet": _sheet(shown, titles[0]), "beside": other and _sheet(other, titles[1]),
        "shares": shown.shares().tolist(), "twin_shares": other.shares().tolist() if other else None,
        "charts": {
            "window": 0, "classes": {"steps": [], "value": [], "twin": None},
            "terms": {name: _course(name, shown.record, other and other.record) for name in shown.objective},
            "student": {"steps": list(student["step"]), "value": list(student["accuracy"]), "twin": None},
        },
        "fluctuation": None, "twin": {"on": False},
    }  # fmt: skip
    return {"run": run, "live": live}


def smoothed(y: np.ndarray) -> np.ndarray:
    """Return the mean of the last SMOOTH values, of fewer at the beginning; (N,)."""
    at = np.arange(1, len(y) + 1)
    before = np.maximum(at - SMOOTH, 0)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    return (sums[at] - sums[before]) / (at - before)


def _course(name: str, record: Record, other: Record | None) -> dict:
    """The loss of the training batches of one run, and of the other at the same steps."""
    at = np.arange(len(record))[:: -(-len(record) // POINTS) or 1]
    anchor, damped = record.column(f"{name}_anchor"), record.column(f"{name}_damped") > 0
    ghost = None
    if other is not None:
        its = smoothed(other.column(name))
        ghost = [plain(its[k]) if k < len(its) else None for k in at]
    return {
        "steps": (at + 1).tolist(),
        "probe": [plain(y) for y in smoothed(record.column(name))[at]],
        "twin": ghost,
        "anchor": [plain(a) if on and a else None for a, on in zip(anchor[at], damped[at], strict=True)],
    }


def _term(shown: RecordedStep, name: str) -> dict:
    look, gain = shown.look(), shown.record.columns[f"{name}_gain"]
    return terms(shown.objective)[name] | {
        "raw": plain(look.raw[name]),
        "anchor": plain(shown.objective[name].anchor) or None,
        "gain": plain(gain[-1]) if len(gain) else 1.0,
        "pull": plain(look.share[name]),
        "clamped": shown.record.clamped(name),
    }


def _sheet(shown: RecordedStep, title: str) -> dict:
    look = shown.look()
    return {
        "title": title, "png": encode(look.images), "columns": 8, "labels": look.labels.tolist(),
        "certainty": [plain(x) for x in look.confidence], "changed": [],
    }  # fmt: skip
