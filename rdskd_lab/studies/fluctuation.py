"""Does damping make losses fluctuate less?  The generator's stage alone, measured on a fixed probe batch."""

import math
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np

from ..evaluation.image_quality import Probe, fluctuation
from ..methods.rdskd import PRESETS
from ..reporting.charts import Curves, Line
from ..runs.config import Config
from ..runs.execute import prepare
from .engine import DEFAULT, Study, Trial, label, plan_trial
from .verdict import Verdict, judge, paired

SILENT = 1e-9  # nats a step: below any fluctuation that float32 can show; a loss that never rose counts as this quiet
DAMPED = ("oh", "ie")
STEPS = 360
ARMS = {"none": "no damping", "epoch": "damped, as published", "constant": "constant weight"}  # and other anchors

# ---- what is measured ------------------------------------------------------------------------------------------------


def measure_fluctuation(config: Config, place: Path) -> dict:
    """Train the generator and measure how its terms rise from step to step, on a fixed probe and on its batches."""
    return _watched(prepare(config)[0])


def measure_constant_weight(config: Config, place: Path) -> dict:
    """The same without damping, each damped term weighed by the mean gain that damping gave it with this seed."""
    damped, run = prepare(config)[0], prepare(config)[0]
    names = [name for name, term in damped.objective.items() if term.damped]
    total = dict.fromkeys(names, 0.0)
    try:
        for step in damped.synthesise():
            for name in names:
                total[name] += step.gain[name] / damped.settings.generator_steps
    except FloatingPointError as error:
        return {"outcome": f"its damped run: {error}"}
    for name in names:
        run.objective[name].damped = False
        run.objective[name].weight *= total[name]
    return _watched(run) | {f"{name}_weight": run.objective[name].weight for name in names}


def _watched(run, n: int = 128) -> dict:
    """Measure the mean positive increment of every term per step.

    On `n` fixed latents (_probe), on the batches of training (_batches) and, as noise floors, on fresh latents with the
    generator frozen at its end: `n` of them (_floor), and as many as a batch of training has (_batch_floor).  "curves"
    are the terms themselves, step by step, as (term)_batches and (term)_probe.
    """
    probe, begun = Probe(run.teacher, run.generator, run.objective, n, seed=10_000 + run.seed), time.perf_counter()
    seen, batches, gains = [probe.measure()], [], []
    try:
        for step in run.synthesise():
            seen.append(probe.measure())
            batches.append(step.raw)
            gains.append(step.gain)
    except FloatingPointError as error:
        return {"outcome": str(error)}
    seconds, found, curves = time.perf_counter() - begun, {"outcome": "finished"}, {}
    floor = probe.floor()
    batch = Probe(run.teacher, run.generator, run.objective, run.settings.batch_size, seed=20_000 + run.seed).floor()
    for name in run.objective:
        values = [s[name] for s in seen]
        curves |= {f"{name}_batches": [b[name] for b in batches], f"{name}_probe": values[1:]}  # after each step
        found |= {
            f"{name}_probe": fluctuation(values),
            f"{name}_early": fluctuation(values[: max(2, len(values) // 4)]),
            f"{name}_batches": fluctuation([b[name] for b in batches]),
            f"{name}_floor": floor[name],
            f"{name}_batch_floor": batch[name],
            f"{name}_last": values[-1],
            f"{name}_gain": sum(g[name] for g in gains) / len(gains),
        }
    curves = {name: [float(f"{value:.5g}") for value in values] for name, values in curves.items()}
    return found | {"seconds": seconds, "curves": curves}


# ---- the plan --------------------------------------------------------------------------------------------------------


def plan(seeds: Iterable[int] = range(10), preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """Plan each anchor rule, none, and a constant weight of the published rule's mean gain, at five points.

    Then two harsher points, for the published rule alone: a high rate with small batches, and another teacher.  The
    published anchors are taken at the steps 1, 121 and 241.
    """
    lr = PRESETS[preset].lr
    points = [
        (DEFAULT, "", {}),
        ("lr / 4", "lr", {"lr": lr / 4}),
        ("lr x 4", "lr", {"lr": lr * 4}),
        ("batch 16", "batch", {"batch_size": 16}),
        ("batch 256", "batch", {"batch_size": 256}),
        ("lr x 4 and batch 16", "lr and batch", {"lr": lr * 4, "batch_size": 16}),
        ("teacher lenet5-bn", "teacher", {}),
    ]
    trials = []
    for n, (point, kind, change) in enumerate(points):
        common = dict(preset=preset, device=device, teacher="lenet5-bn" if kind == "teacher" else "lenet5")
        common["change"] = {"generator_steps": STEPS, "pooled": False} | change
        for arm in (*ARMS, "previous", "average") if n < 5 else ARMS:
            measure, anchor = (measure_constant_weight, "epoch") if arm == "constant" else (measure_fluctuation, arm)
            how = dict(anchor=anchor, **common)
            trials += [plan_trial("rdskd", seed, measure, point, kind, arm, **how) for seed in seeds]
    return trials


# ---- the verdicts ----------------------------------------------------------------------------------------------------


def verdicts(rows: list[dict]) -> list[Verdict]:
    """Judge published damping against none and against a constant weight of its mean gain; then the other anchors.

    Of both damped terms at every point; main are those of the default.
    """

    def less(term: str, arm: str, rival: str, point: str, words: str) -> Verdict:
        sides = ({"arm": name, "point": point} for name in (rival, arm))
        return judge(
            f"Damping makes {term} fluctuate less {words}",
            "fluctuation",
            f"{point}: ln (fluctuation {rival} / {arm}), on the probe",
            paired(rows, *sides, f"{term}_probe", lambda v: math.log(max(v, SILENT))),
            main=point == DEFAULT and arm == "epoch",
            label=f"{term}: {arm} against {rival}, {point}",
        )

    def points(arm: str) -> list[str]:
        return list(dict.fromkeys(r["point"] for r in rows if r["arm"] == arm))

    rivals = {"none": "than without", "constant": "than a constant weight of the same mean gain"}
    asked = [
        (term, "epoch", rival, point, words)
        for point, term, (rival, words) in product(points("none"), DAMPED, rivals.items())
    ]
    for arm in "previous", "average":
        asked += [(term, arm, "none", point, f"than without, anchor {arm}") for point in points(arm) for term in DAMPED]
    return [less(*one) for one in asked]


# ---- the words -------------------------------------------------------------------------------------------------------


def noise(rows: list[dict]) -> str:
    """Say how much of the fluctuation on training batches a frozen generator shows too, from the table."""
    shares = []
    for term in DAMPED:
        mine = [r for r in rows if (r["arm"], r["point"]) == ("none", DEFAULT) and r[f"{term}_batches"]]
        found = [100 * r[f"{term}_batch_floor"] / r[f"{term}_batches"] for r in mine]
        shares += [f"{np.mean(found):.0f} % of the fluctuation of {term}"] if found else []
    if not shares:
        return ""
    return (
        f"On training batches, without damping and by default, a frozen generator already shows {' and '.join(shares)}:"
        " this part is sampling noise, which no damping can remove."
    )


def curve_charts(rows: list[dict], where: str) -> list[Curves]:
    """Draw one run's damped terms step by step, from fluctuation_curves.csv; `where` is "batches" or "probe"."""
    words = {"batches": "on the batches of training", "probe": "on one fixed probe batch"}[where]
    charts = []
    for term in DAMPED:
        lines = []
        for style, (arm, name) in enumerate(ARMS.items()):
            mine = [r for r in rows if r["setting"] == label(arm)]
            if mine:
                xy = (np.array([r[column] for r in mine]) for column in ("step", f"{term}_{where}"))
                lines.append(Line(name, *xy, style, "noisy" if where == "batches" else "line"))
        charts += [Curves(f"{term} {words}", lines, ylabel="nats")] if lines else []
    return charts


def figures(rows: list[dict], curves: list[dict]) -> list[tuple]:
    """The curves of one seed, for the page."""
    words = (
        "Default settings. On training batches a loss also changes with the images in the batch; on a fixed probe "
        "batch it changes by learning alone."
    )
    charts = [*curve_charts(curves, "batches"), *curve_charts(curves, "probe")]
    return [("One seed, step by step", words, charts)] if charts else []


STUDY = Study(
    name="fluctuation",
    question="Does the penalty on increments damp fluctuations?",
    rank=1,
    trials=plan,
    verdicts=verdicts,
    how_to_read="The fluctuation of a loss is how much it rises from step to step, on average. oh is the one-hot loss, "
    "ie the information entropy loss. epoch: the published damping; none: no damping; constant: a constant weight, the "
    "mean gain that damping gave; previous and average: other anchors. probe: on one fixed batch of latents; batches: "
    "on the training batches; frozen: on fresh batches of that size from a generator that no longer learns, so from "
    "sampling alone.",
    apart="Fluctuation is measured on a fixed probe batch.",
    columns={
        f"{term}_{column}": (f"{term}, {words}", 1000.0)
        for term in DAMPED
        for column, words in (("probe", "probe"), ("batches", "batches"), ("batch_floor", "frozen"))
    },
    unit="Mean rise in 0.001 nats a step",
    notes=lambda rows: ["", noise(rows)],
    figures=figures,
)
