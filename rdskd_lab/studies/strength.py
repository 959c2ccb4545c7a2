"""Does damping calm a loss once it is strong, and is it the rule that does it?  Strength: b of exp(b (L - a)) / b.

Each arm is the same run with one thing changed.  Where an arm repeats what another run did (its gains, the length of
its steps), that run has the same seed, the same weights and the same latents.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from ..distillation import Distillation
from ..evaluation.accuracy import accuracy
from ..evaluation.image_quality import Probe, coverage, fluctuation
from ..runs.config import Config
from ..runs.execute import prepare
from ..training import Step
from .engine import DEFAULT, Study, Trial, plan_trial
from .verdict import Verdict, holm, judge, paired

DAMPED = ("oh", "ie")
STEPS, PROBE = 240, 128  # generator steps; latents of the fixed probe
LEVELS = {"oh": 0.3, "ie": -2.1}  # nats: fluctuation at equal loss is measured on the way down to these
BEFORE, SMOOTH = 60, 20  # steps: how long before that; of a running mean
GRID = 1.0, 3.0, 10.0, 20.0, 50.0
CELLS = ((20.0, "previous"), (3.0, "previous"), (20.0, "epoch"))  # with a student, named before any run
RATE = 2.5  # times the usual rate: undamped, oh then ends where b = 20 ends (seeds 110 to 112)
FRICTION = 0.7  # Adam's beta 1 of an arm that is slowed as the toy in docs/damping.md is by b = 20; 0.9 otherwise
SMALL = math.log(1.1)  # an interval that lies within this says "smaller than 10 %"

CONTROLS = {  # arm -> what it is, after "less than"
    "none": "without damping",
    "constant": "with a constant weight of the same mean gain",
    "shuffled": "with the same gains in shuffled order",
    "rate": "with a learning rate that ends at the same loss",
    "tilt": "with the same strength and a slow anchor",
}

# ---- the arms: what is changed in a run ------------------------------------------------------------------------------


def scheduled(weights: list[dict[str, float]]) -> Callable:
    """Return an adapter that gives each term its weight of step i times `weights[i]`; no term is damped."""

    def adapter(steps: Iterator[Step], run: Distillation) -> Iterator[Step]:
        usual = {name: term.weight for name, term in run.objective.items()}
        for gains in weights:
            for name, gain in gains.items():
                run.objective[name].weight = usual[name] * gain
            if (step := next(steps, None)) is None:
                return
            yield step

    return adapter


def rescaled(norms: list[float]) -> Callable:
    """Return an adapter that gives the generator's move in step i the length `norms[i]`, and keeps its direction."""

    def adapter(steps: Iterator[Step], run: Distillation) -> Iterator[Step]:
        weights = list(run.generator.parameters())
        for norm in norms:
            before = [w.detach().clone() for w in weights]
            if (step := next(steps, None)) is None:
                return
            with torch.no_grad():
                scale = norm / max(moved(weights, before), 1e-30)
                for w, old in zip(weights, before, strict=True):
                    w.copy_(old + scale * (w - old))
            yield step

    return adapter


def moved(weights: list, before: list) -> float:
    """Compute how far the weights are from where they were, as one 2-norm."""
    return torch.stack([(w.detach() - old).norm() for w, old in zip(weights, before, strict=True)]).norm().item()


def norms_of(run: Distillation) -> list[float]:
    """Train the generator of `run` to its end and return the length of each of its moves."""
    weights, norms = list(run.generator.parameters()), []
    before = [w.detach().clone() for w in weights]
    for _ in run.synthesise():
        norms.append(moved(weights, before))
        before = [w.detach().clone() for w in weights]
    return norms


def gains_of(run: Distillation) -> list[dict[str, float]]:
    """Train the generator of `run` to its end and return the gains of its damped terms in each step."""
    names = [name for name, term in run.objective.items() if term.damped]
    return [{name: step.gain[name] for name in names} for step in run.synthesise()]


def undamped(config: Config, *, lr: float = 1.0, beta: float = 0.9) -> Distillation:
    """Prepare the run without damping; `lr` multiplies its learning rate, `beta` is Adam's first."""
    run = prepare(replace(config, anchor="none", strength=1.0))[0]
    return with_optimizer(run, lr, beta)


def with_optimizer(run: Distillation, lr: float, beta: float) -> Distillation:
    """Change the generator's learning rate and momentum before its first step."""
    for group in run.source_optimizer.param_groups:
        group["lr"] *= lr
        group["betas"] = (beta, group["betas"][1])
    return run


def adapted(run: Distillation, adapter: Callable) -> Distillation:
    """Put an adapter around the generator's steps."""
    run.method = replace(run.method, adapters=(*run.method.adapters, adapter))
    return run


def constant(config: Config) -> Distillation:
    gains = gains_of(prepare(config)[0])
    mean = {name: sum(step[name] for step in gains) / len(gains) for name in gains[0]}
    return adapted(undamped(config), scheduled([mean] * len(gains)))


def shuffled(config: Config) -> Distillation:
    gains = gains_of(prepare(config)[0])
    order = torch.randperm(len(gains), generator=torch.Generator().manual_seed(config.seed)).tolist()
    return adapted(undamped(config), scheduled([gains[i] for i in order]))


ARMS: dict[str, Callable[[Config], Distillation]] = {
    "damped": lambda config: prepare(config)[0],
    "none": undamped,
    "constant": constant,
    "shuffled": shuffled,
    "rescaled": lambda config: adapted(prepare(config)[0], rescaled(norms_of(undamped(config)))),
    "rate": lambda config: undamped(config, lr=RATE),
    "tilt": lambda config: prepare(replace(config, anchor="average"))[0],
    "friction": lambda config: undamped(config, lr=(1 - 0.9) / (1 - FRICTION), beta=FRICTION),
    "no momentum": lambda config: undamped(config, beta=0.0),
    "damped, no momentum": lambda config: with_optimizer(prepare(config)[0], 1.0, 0.0),
}

# ---- what is measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """What a trial of one arm measures: its generator's stage, step by step; or its student as well."""

    arm: str
    student: bool = False

    @property
    def __name__(self) -> str:
        return f"{'train' if self.student else 'watch'}_{self.arm}"

    def __call__(self, config: Config, place: Path) -> dict:
        begun = time.perf_counter()
        try:
            run = ARMS[self.arm](config)
            found = train(run, config) if self.student else watch(run)
        except FloatingPointError as error:
            return {"outcome": str(error)}
        return {"outcome": "finished", "seconds": time.perf_counter() - begun} | found


def watch(run: Distillation) -> dict:
    """Train the generator and measure each damped term on a fixed probe after every step; `summary` says what."""
    probe = Probe(run.teacher, run.generator, run.objective, PROBE, seed=10_000 + run.seed)
    seen, clamped = [probe.measure()], dict.fromkeys(DAMPED, 0)
    for step in run.synthesise():
        seen.append(probe.measure())
        for name in DAMPED:
            clamped[name] += not 0.0501 < step.gain[name] < 19.99
    found = {"classes": classes(run)}
    for name in DAMPED:
        found |= {f"{name}_{what}": value for what, value in summary([s[name] for s in seen], LEVELS[name]).items()}
        found[f"{name}_clamped"] = clamped[name] / (len(seen) - 1)
    curves = {f"{name}_probe": [float(f"{s[name]:.5g}") for s in seen[1:]] for name in DAMPED}
    return found | {"curves": curves}


def summary(values: list[float], level: float) -> dict[str, float | int | None]:
    """Describe a loss on a fixed probe, step by step.

    probe     F, the mean positive increment over all steps
    spread    standard deviation around the running mean of SMOOTH steps
    end       mean of the last SMOOTH values
    reached   steps until the running mean first comes down to `level`; None if it never does
    equal     F over the BEFORE steps before that; None if there are fewer
    """
    y = np.array(values)
    mean = np.convolve(y, np.ones(SMOOTH) / SMOOTH, "valid")  # mean[i] is of y[i] to y[i + SMOOTH - 1]
    below = np.flatnonzero(mean <= level)
    reached = int(below[0]) + SMOOTH - 1 if len(below) else None
    enough = reached is not None and reached >= BEFORE
    return {
        "probe": fluctuation(values),
        "spread": float((y[SMOOTH - 1 :] - mean).std()),
        "end": float(y[-SMOOTH:].mean()),
        "reached": reached,
        "equal": fluctuation(values[reached - BEFORE : reached + 1]) if enough else None,
    }


@torch.no_grad()
def classes(run: Distillation, n: int = 2_000) -> float:
    """Count the effective classes, exp of the entropy, among the teacher's answers to fresh images."""
    latents = run.generator.latents(n, torch.Generator().manual_seed(20_000 + run.seed))
    was = run.generator.training
    answers = torch.cat([run.teacher(run.generator.eval()(part)).argmax(1) for part in latents.split(250)])
    run.generator.train(was)
    return math.exp(coverage(torch.bincount(answers, minlength=run.classes))["entropy"])


def train(run: Distillation, config: Config) -> dict:
    """Do the whole run and test its student."""
    for _ in run:
        pass
    return {"student_accuracy": accuracy(run.student, prepare(config).test), "classes": classes(run)}


# ---- the plan --------------------------------------------------------------------------------------------------------


def _config(seed: int, strength: float, anchor: str) -> Config:
    change = (("generator_steps", str(STEPS)), ("pooled", "False"))
    return Config(method="rdskd", seed=seed, teacher="lenet5", anchor=anchor, strength=strength, change=change)


def plan(seeds: Iterable[int] = range(100, 110), preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """Plan the primary claim with its controls, then what is explored.

    Primary: F of oh, LeNet-5, anchor previous, b = 20.  Explored: strengths and anchors; other momenta; three cells
    with a student, five seeds; LeNet-5 with BatchNorm.
    """
    seeds = list(seeds)
    short = {"generator_steps": STEPS, "pooled": False}
    lenet = dict(preset=preset, device=device, teacher="lenet5")

    def point(measure: Measure, arm: str, words: str, kind: str, some: list[int], strength: float, **config):
        return [plan_trial("rdskd", seed, measure, words, kind, arm, strength=strength, **config) for seed in some]

    main = ("damped", *CONTROLS, "rescaled", "friction", "no momentum", "damped, no momentum")
    trials = []
    for arm in main:
        trials += point(Measure(arm), arm, DEFAULT, "", seeds, 20.0, anchor="previous", change=short, **lenet)
    for strength, anchor in product(GRID, ("epoch", "previous", "average")):
        if (strength, anchor) != (20.0, "previous"):
            words = f"b = {strength:g}, anchor {anchor}"
            trials += point(
                Measure("damped"), "damped", words, "strength", seeds, strength, anchor=anchor, change=short, **lenet
            )
    few = seeds[:5]
    for arm in "none", *("damped", "constant", "shuffled", "rescaled"):
        for strength, anchor in CELLS if arm != "none" else CELLS[:1]:
            words = f"student, b = {strength:g}, anchor {anchor}" if arm != "none" else "student"
            trials += point(Measure(arm, True), arm, words, "student", few, strength, anchor=anchor, **lenet)
    bn = dict(preset=preset, device=device, teacher="lenet5-bn", change=short)
    trials += point(Measure("none"), "none", "teacher lenet5-bn", "teacher", seeds, 1.0, anchor="none", **bn)
    for strength in (1.0, 20.0):
        words = f"teacher lenet5-bn, b = {strength:g}"
        trials += point(Measure("damped"), "damped", words, "teacher", seeds, strength, anchor="previous", **bn)
    return trials


# ---- the verdicts ----------------------------------------------------------------------------------------------------


def verdicts(rows: list[dict]) -> list[Verdict]:
    """Judge F of oh under b = 20 against each control; then, corrected together by Holm, everything explored."""
    main = [_less(rows, "oh", "probe", {"arm": "damped"}, {"arm": arm}, words) for arm, words in CONTROLS.items()]
    steps = "without damping, even with steps as long as there"
    main.append(_less(rows, "oh", "probe", {"arm": "rescaled"}, {"arm": "none"}, steps))
    also = [
        _less(rows, "oh", "equal", {"arm": "damped"}, {"arm": arm}, f"{words}, at equal loss", "on the way to 0.3 nats")
        for arm, words in CONTROLS.items()
    ]
    also += [_less(rows, "ie", "probe", {"arm": "damped"}, {"arm": arm}, words) for arm, words in CONTROLS.items()]
    also += [
        _less(rows, "oh", "probe", {"arm": arm}, {"arm": rival}, words)
        for arm, rival, words in (
            ("friction", "none", "with momentum 0.9 and no damping"),
            ("damped, no momentum", "no momentum", "without it, both without momentum"),
        )
    ]
    points = dict.fromkeys(r["point"] for r in rows if r["kind"] in ("strength", "teacher") and r["arm"] == "damped")
    for point, term in product(points, DAMPED):
        base = "teacher lenet5-bn" if "lenet5-bn" in point else DEFAULT
        sides = {"arm": "damped", "point": point}, {"arm": "none", "point": base}
        also.append(_less(rows, term, "probe", *sides, f"without damping, {point}"))
    also += [_student(rows, strength, anchor) for strength, anchor in CELLS]
    return [replace(v, main=True) for v in main] + holm(also)


def _less(rows, term: str, column: str, mine: dict, rival: dict, words: str, where: str = "over all steps") -> Verdict:
    """Judge whether F of a term is smaller in `mine` than in `rival`, as the logarithm of their ratio."""
    mine, rival = ({"point": DEFAULT} | side for side in (mine, rival))
    pairs = paired(rows, rival, mine, f"{term}_{column}", lambda v: math.log(max(v, 1e-9)))
    arms = f"{mine['arm']} less than {rival['arm']}"
    return judge(
        f"F of {term} is smaller with {mine['arm'] if mine['point'] == DEFAULT else mine['point']} than {words}",
        "strength",
        f"ln (F {rival['arm']} / {mine['arm']}) {where}, on the probe",
        pairs,
        label=f"{term}: {arms}, {mine['point']}, {where}",
        small=SMALL,
    )


def _student(rows, strength: float, anchor: str) -> Verdict:
    point = f"student, b = {strength:g}, anchor {anchor}"
    sides = {"arm": "damped", "point": point}, {"arm": "none", "point": "student"}
    return judge(
        f"Damping with b = {strength:g}, anchor {anchor}, makes the student better",
        "strength",
        "accuracy, damped less without",
        paired(rows, *sides, "student_accuracy", lambda v: 100 * v),
        unit=" points",
        label=f"student: damped less without, b = {strength:g}, {anchor}",
        small=0.5,
    )


COLUMNS = {
    f"{term}_{column}": (f"{term}, {words}", factor)
    for term in DAMPED
    for column, words, factor in (
        ("probe", "F", 1000.0),
        ("equal", "F at equal loss", 1000.0),
        ("spread", "spread", 1000.0),
        ("end", "loss at the end", 1.0),
        ("reached", "steps to the level", 1.0),
        ("clamped", "clamped, %", 100.0),
    )
}

STUDY = Study(
    name="strength",
    question="Does damping calm a loss once it is strong, and is it the rule that does it?",
    rank=1.5,
    trials=plan,
    verdicts=verdicts,
    how_to_read="The fluctuation F of a loss is how much it rises from step to step, on average, on one fixed batch of "
    "latents. damped: the released code's rule at strength b, anchor at the previous step. none: no damping. "
    "constant: constant weights, the mean gains of the damped run. shuffled: the damped run's gains in random "
    "order. rate: 2.5 times the learning rate, which ends at the same loss. tilt: the same strength, the anchor a "
    "slow average. rescaled: the damped run, each move as long as that of the undamped run in this step. Momentum "
    "is Adam's first beta, else 0.9.",
    apart="Strengths other than 1 and anchors other than epoch are ours.",
    columns=COLUMNS | {"classes": ("classes", 1.0), "student_accuracy": ("student right, %", 100.0)},
    unit="F and spread in 0.001 nats, losses in nats",
)
