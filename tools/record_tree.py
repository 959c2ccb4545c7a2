"""Record what the page plays: runs of named seeds, and forks of one of them.  Writes results/page/NAME.json.

    python tools/record_tree.py                   # all: 15 minutes of one core
    python tools/record_tree.py tree collapse     # some of them anew

`tree` is one: at three moments every switch is pressed in a fork, which goes on from the same weights, optimiser and
latents, so that the run that it left is its twin.  The others are single runs.  `colour` needs CIFAR-10 and a teacher
that is not shipped: make it as COLOUR says, and name its file in RDSKD_COLOUR_TEACHER.  The same seeds give other
numbers on another machine: what is kept says where it was made.
"""

import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from rdskd_lab import __version__, datasets
from rdskd_lab.lab.session.experiment import PLAYABLE, Experiment
from rdskd_lab.lab.session.record import STUDENT, Edit
from rdskd_lab.lab.session.trace import Trace, begin, copy_run
from rdskd_lab.lab.sharing.page import Branch, Recording, about_run, packed
from rdskd_lab.networks.registry import Shape, make_teacher

KEPT = Path(__file__).resolve().parents[1] / "results" / "page"
MOMENTS, WATCHED = (0, 150, 300), 300  # steps: where switches are pressed, and for how long each fork is watched
SHOWN = 40  # images
SWITCHES = {  # name: the edits of one press, as (term, field, value)
    "oh-off": (("oh", "on", False),),
    "ie-off": (("ie", "on", False),),
    "ds-off": (("ds", "on", False),),
    "strength-0": (("oh", "strength", 0.0), ("ie", "strength", 0.0)),
    "strength-20": (("oh", "strength", 20.0), ("ie", "strength", 20.0)),
    "oh-heavy": (("oh", "weight", 30.0),),
}
AGAIN = {"ie-off": (("ie", "on", True),)}  # pressed once more, at the next moment
COLOUR = "rdskd-lab train-teacher --network lenet5-bn --data cifar10 --seed 0 --epochs 12"
LEARNS = (STUDENT, "learns", True)


def edit(experiment: Experiment, trace: Trace, *asked: tuple) -> tuple[Edit, ...]:
    """Make the edits of one press, note them, and look at what they change."""
    made = tuple(Edit(experiment.done, *one) for one in asked)
    for one in made:
        experiment.change(one)
        trace.record.edits.append(one)
    trace.keep_moment(experiment)
    return made


def start(method: str = "rdskd", every: int = 10, learns: bool = True, **how) -> tuple[Experiment, Trace]:
    """Begin a run, of which every `every` steps a moment is kept, and no checkpoint."""
    experiment = Experiment(method, 0, **how)
    trace = begin(experiment, how.get("teacher") is not None, SHOWN)
    trace.stride, trace.freeze = every, 10**9
    if learns:
        edit(experiment, trace, LEARNS)
    test(experiment, trace)
    return experiment, trace


def test(experiment: Experiment, trace: Trace) -> None:
    """Measure the student, if it learns, where a moment is kept."""
    if experiment.learning and experiment.done % trace.stride == 0:
        trace.record.add_accuracy(experiment.done, experiment.accuracy())


def go_on(experiment: Experiment, trace: Trace, until: int, fixed: tuple = ()) -> str:
    """Train up to step `until`.  Where the guard stops it, make the edits `fixed` and return what the guard said."""
    said, steps = "", experiment.steps()
    while experiment.done < until:
        try:
            step = next(steps)
        except FloatingPointError as error:
            if said or not fixed:
                raise
            said, steps = str(error), experiment.steps()
            edit(experiment, trace, *fixed)
            continue
        trace.record.add(step, experiment.objective)
        trace.note(experiment)
        test(experiment, trace)
    return said


def tree() -> Recording:
    """RDSKD as it comes, and what each switch does to it."""
    experiment, trace = start()
    words = "RDSKD, the published method. Press Play, then switch one of its three losses off."
    about = Recording("RDSKD", words, about_run(experiment), {}, 10, 20)
    about.branches["run"] = Branch(trace)
    for moment in MOMENTS:
        go_on(experiment, trace, moment)
        for name, asked in SWITCHES.items():
            fork(about, experiment, trace, "run", name, asked)
    go_on(experiment, trace, MOMENTS[-1] + WATCHED)
    return about


def fork(about: Recording, experiment, trace, parent: str, name: str, asked: tuple) -> None:
    """Add the branch in which a switch is pressed now; and those in which it is pressed once more."""
    since = experiment.done
    other, its = copy_run(experiment, trace)
    key = f"{name}@{since}"
    about.branches[key] = Branch(its, since, parent, edit(other, its, *asked))
    later = [at for at in MOMENTS if at > since][:1] if name in AGAIN else []
    for at in later:
        go_on(other, its, at)
        fork(about, other, its, key, "on-again", AGAIN[name])
    go_on(other, its, since + WATCHED)
    print(f"{key}: up to step {other.done}", flush=True)


def single(title: str, words: str, steps: int, *edits: tuple, every: int = 10, fixed: tuple = (), **how) -> Recording:
    """One run without forks."""
    experiment, trace = start(every=every, **how)
    if edits:
        edit(experiment, trace, *edits)
    said = go_on(experiment, trace, steps, fixed)
    return Recording(title, words.format(said=said), about_run(experiment), {"run": Branch(trace)}, every, every)


def readable() -> Recording:
    """A fourth loss, with which digits can be read."""
    words = (
        "RDSKD with a fourth loss, BatchNorm statistics, which is not in RDSKD: after some hundred steps a person can "
        "read the digits."
    )
    return single("Readable digits", words, 600, method="rdskd+bn", every=20)


def dafl() -> Recording:
    """An earlier method."""
    words = "An earlier method: one-hot, activation and entropy losses, none of them damped."
    return single("DAFL", words, 300, method="dafl")


def collapse() -> Recording:
    """A generator that makes one picture."""
    words = (
        "DFAD minimises one loss: student and teacher should differ. The generator ends with one picture, forty times."
    )
    return single("Collapse", words, 200, method="dfad", learns=False)


def explodes() -> Recording:
    """A gain beyond what a number holds."""
    words = (
        "MSKD with a learning rate 60 times too large and its mode seeking loss damped. One step, and the guard said: "
        "“{said}” The damping was taken off, and it went on."
    )
    settings = replace(PLAYABLE["mskd"].presets["classroom"], lr=1.0)
    asked, fixed = ("ms", "damped", True), (("ms", "damped", False),)
    return single("Exploding", words, 60, asked, every=2, fixed=fixed, method="mskd", settings=settings, learns=False)


def colour() -> Recording:
    """Images in colour, for a teacher of CIFAR-10."""
    teacher = make_teacher("lenet5-bn", os.environ["RDSKD_COLOUR_TEACHER"], Shape(3, 32, 10))
    test = datasets.load("cifar10", "test")[::10]
    words = (
        "A small teacher of CIFAR-10 (LeNet-5 with BatchNorm, right in 59 % of photographs), and RDSKD with BatchNorm "
        "statistics. Generator and student see no photograph; 1,000 of them test the student."
    )
    made = single("Colour", words, 400, method="rdskd+bn", every=20, teacher=teacher, data=test)
    made.run["real"] = None  # photographs of CIFAR-10, which are not ours to pass on
    return made


RECORDINGS = {made.__name__: made for made in (tree, readable, dafl, collapse, explodes, colour)}


def made_with() -> str:
    """Say what the numbers depend on besides the seeds."""
    return (
        f"seed 0, rdskd-lab {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {torch.get_num_threads()} thread"
    )


def record(names: list[str]) -> Iterator[Path]:
    """Record, pack and write them."""
    KEPT.mkdir(exist_ok=True)
    for name in names:
        about = replace(RECORDINGS[name](), made=made_with())
        path = KEPT / f"{name}.json"
        path.write_text(json.dumps(packed(about), separators=(",", ":"), allow_nan=False), encoding="utf-8")
        yield path


if __name__ == "__main__":
    torch.set_num_threads(1)
    for written in record(sys.argv[1:] or [*RECORDINGS]):
        print(f"{written}: {written.stat().st_size / 1e6:.2f} MB", flush=True)
