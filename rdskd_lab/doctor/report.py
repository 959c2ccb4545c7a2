"""The environment doctor: what is wrong here, what to type, and how long things will take.

    rdskd-lab doctor                                   in a terminal
    from rdskd_lab.doctor import doctor; doctor()      in a notebook's first cell

`facts.look()` gathers facts, `diagnose(facts)` judges them, `write_page` and `write_json` show the result.
"""

import json
import textwrap
from dataclasses import asdict, dataclass

from packaging.version import Version

from ..datasets import SETS
from ..methods.rdskd import PRESETS
from .facts import CORE, DRAWING, RANGES, Facts, look

OK, NOTE, FIX = "OK", "NOTE", "FIX"  # nothing to do; good to know; will stop or slow down the course
WIDTH = 100  # characters of the page
NEEDED = 1.3e9  # bytes of memory that the heaviest notebook takes
ROOM = 2e9  # bytes of disk below which runs and downloads are in danger
SLOW = 1.0  # s; a lab whose steps take longer is no longer something to watch
MODES = {
    "task": "task: it trains beside the cell, and every control answers at once",
    "chunk": "chunk: it trains 2 seconds at a time; where a control answers late, run the cell again",
    "inline": "inline: a cell trains until it is done; stop it with the interrupt button",
    "replay": "no mode that trains, since a step takes too long to watch",
}

# Steps that a run or a notebook takes: (generator's, student's), each as expensive as one of preset classroom.
WORK = {
    f"preset {name}": (PRESETS[name].generator_steps, PRESETS[name].student_steps) for name in ("classroom", "long")
}
WORK |= {
    "notebook 00": (150, 800),
    "notebook 01": (200, 50),
    "notebook 02": (280, 1250),
    "notebook 03": (250, 0),
    "notebook 04": (300, 0),
    "notebook 05": (1300, 0),
    "notebook 06": (550, 0),
    "notebook 07": (1650, 0),
    "notebook 08": (330, 1050),
    "notebook 09": (800, 0),
    "notebook 10": (500, 800),
    "notebook 11": (260, 600),
    "notebook one_lesson": (640, 1200),
    "notebook robustness_for_researchers": (360, 1080),
}


def row(notebook: str) -> str:
    """Return the name of a notebook's row in `WORK`: its number, or all of its name if it has none."""
    return f"notebook {notebook[:2] if notebook[:2].isdigit() else notebook}"


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: OK, NOTE or FIX, a sentence, and what to do or type."""

    topic: str
    level: str
    says: str
    cure: str = ""


def doctor(as_json: bool = False) -> None:
    """Print the page; or, for a bug report, the same as JSON, without names or paths of the user."""
    facts = look()
    print(write_json(facts) if as_json else write_page(facts))


# ---- judging: each looks at the facts and gives findings -------------------------------------------------------------


def diagnose(facts: Facts) -> list[Finding]:
    """Return all findings, in the order of the page."""
    judges = (_python, _kernel, _packages, _memory, _cores, _gpu, _data, _disk, _writing, _training)
    return [judge(facts) for judge in judges]


def choose_mode(facts: Facts) -> str:
    """Return how a lab should train here: as the front end allows, or not at all if a step takes over a second."""
    return "replay" if facts.generator_step is None or facts.generator_step > SLOW else facts.mode


def estimate(facts: Facts) -> dict[str, float]:
    """Return the seconds that each row of WORK takes, by the steps measured here; {} if none was measured."""
    if facts.generator_step is None or facts.student_step is None:
        return {}
    return {name: g * facts.generator_step + s * facts.student_step for name, (g, s) in WORK.items()}


def fits(name: str, version: str) -> bool:
    """Say whether a version of a package lies in its range; its numbers decide, not what follows (a0, rc1, +cpu)."""
    return name not in RANGES or RANGES[name].contains(Version(version).base_version)


def _python(facts: Facts) -> Finding:
    says = f"{facts.python} on {facts.system}, rdskd-lab {facts.package}, in {facts.front_end}"
    if Version(facts.python.rstrip("+")) < Version("3.11"):  # "3.14.0+": built from what comes after 3.14.0
        return Finding("Python", FIX, f"{says}; 3.11 or later is needed", "Install Python 3.12, then make env.")
    return Finding("Python", OK, says)


def _kernel(facts: Facts) -> Finding:
    kernel = facts.versions.get("ipykernel")
    if kernel is None:
        return Finding("kernel", NOTE, "none is installed, so notebooks cannot run here", _install(facts, "ipykernel"))
    if not fits("ipykernel", kernel):
        why = "breaks labs at their first update" if kernel.startswith("7.0") else "is too old"
        return Finding("kernel", FIX, f"ipykernel {kernel} {why}", _install(facts, "ipykernel"))
    return Finding("kernel", OK, f"ipykernel {kernel}")


def _packages(facts: Facts) -> Finding:
    """Judge the versions of what is imported, with one cure for all that does not fit."""
    here, notebook = facts.versions, facts.front_end != "a terminal"
    if not RANGES:
        cure = f"{_pip(facts)} -e '.[lab]' in the folder of rdskd-lab."
        return Finding("packages", NOTE, "rdskd-lab is not installed, so it is unknown which versions it needs", cure)
    wanted = [name for name in RANGES if name in CORE or name in here or (notebook and name in DRAWING)]
    wanted = [name for name in wanted if name != "ipykernel"]  # which has a line of its own
    wrong = [name for name in wanted if name not in here or not fits(name, here[name])]
    if wrong:
        listed = ", ".join(f"{name} {here.get(name, 'is missing')}" for name in wrong)
        needs = ", ".join(f"{name}{RANGES[name]}" for name in wrong)
        return Finding("packages", FIX, f"{listed}; needed: {needs}", _install(facts, *wrong))
    widgets, half = here.get("ipywidgets"), here.get("jupyterlab_widgets")
    if facts.front_end == "Colab" and Version(widgets).major != 7:
        cure = '%pip install "ipywidgets==7.7.1", then Runtime > Restart session.'
        return Finding("packages", FIX, f"Colab's page cannot show ipywidgets {widgets}", cure)
    pairs = {7: 1, 8: 3}
    if widgets and half and facts.front_end != "Colab" and Version(half).major != pairs[Version(widgets).major]:
        want = pairs[Version(widgets).major]
        cure = f'{_pip(facts)} "jupyterlab_widgets=={want}.*", then restart JupyterLab and reload the page.'
        return Finding("packages", FIX, f"ipywidgets {widgets} and jupyterlab_widgets {half} do not fit", cure)
    if absent := [name for name in DRAWING if name not in here]:
        cure = f"For notebooks and reports: {_pip(facts)} {' '.join(_quoted(name) for name in absent)}"
        return Finding("packages", NOTE, f"torch {here['torch']}; without {', '.join(absent)}", cure)
    shown = " ".join(f"{name} {here[name]}," for name in ("torch", "ipywidgets", "anywidget", "plotly"))
    return Finding("packages", OK, f"{shown} and the rest fit")


def _memory(facts: Facts) -> Finding:
    usable = min((n for n in (facts.memory, facts.machine_memory) if n), default=None)
    if usable is None:
        cure = "Keep 2 GB free for the heaviest notebook."
        return Finding("memory", NOTE, "this system does not say how much there is", cure)
    of = f" of the machine's {_gb(facts.machine_memory)}" if facts.memory and facts.machine_memory else ""
    says = f"{_gb(usable)} may be used{of}"
    if usable < NEEDED:
        cure = "Close other notebooks, raise the limit of the container or server to 2 GB, or use Colab."
        return Finding("memory", FIX, f"{says}; the heaviest notebook takes up to {_gb(NEEDED)}", cure)
    return Finding("memory", OK, says)


def _cores(facts: Facts) -> Finding:
    says = f"{facts.cores:g} may be used"
    if facts.cores < 1:
        return Finding("cores", NOTE, f"{says}: training will pause at times", "No fix needed; the times include it.")
    return Finding("cores", OK, says)


def _gpu(facts: Facts) -> Finding:
    if facts.gpu:
        return Finding("GPU", OK, facts.gpu + (f", {_gb(facts.gpu_memory)}" if facts.gpu_memory else ""))
    if facts.front_end == "Colab":
        return Finding("GPU", NOTE, "none is switched on", "Runtime > Change runtime type, choose a GPU, Save.")
    cure = "No fix needed: the course is made for a CPU. Colab has GPUs for larger runs."
    return Finding("GPU", NOTE, "none that torch can use", cure)


def _data(facts: Facts) -> Finding:
    if gone := [name for name, record in SETS.items() if record.shipped and not facts.data[name]]:
        cure = f"Install the package again: {_pip(facts)} --force-reinstall --no-deps, with what you installed it from."
        return Finding("data", FIX, f"{', '.join(gone)} should have come with the package and are missing", cure)
    here, absent = ([name for name in SETS if facts.data[name] is there] for there in (True, False))
    if wanted := [SETS[name] for name in absent if SETS[name].teacher]:  # a shipped teacher waits for them
        how = ", ".join(f"--data {record.name} downloads {record.megabytes} MB" for record in wanted)
        cure = f"No fix needed. {how}; or set RDSKD_DATA to the folder that holds {wanted[0].files[0].split('/')[0]}."
        return Finding("data", NOTE, f"{', '.join(here)} can be read; {', '.join(absent)} not yet", cure)
    return Finding("data", OK, f"{', '.join(here)} can be read")


def _disk(facts: Facts) -> Finding:
    if facts.disk is None:
        says = "it is unknown how much is free in this folder"
        return Finding("disk", NOTE, says, "Work in a folder of a local disk.")
    if facts.disk < ROOM:
        level, cure = FIX if facts.disk < ROOM / 20 else NOTE, "Delete old runs (the folder runs/) or work elsewhere."
        full = "the disk is full" if facts.disk < ROOM / 200 else "little room"
        return Finding("disk", level, f"{full}: {_gb(facts.disk)} free here", cure)
    return Finding("disk", OK, f"{_gb(facts.disk)} free here")


def _writing(facts: Facts) -> Finding:
    if not facts.here_writable:
        cure = "Copy the folder to a place where you may write, or give --out such a place."
        return Finding("writing", FIX, "this folder cannot be written to, so no run can be saved", cure)
    if not facts.home_writable:
        cure = 'First set HOME to a folder where you may write: export HOME="$PWD"'
        return Finding("writing", FIX, "your home folder cannot be written to: downloads and settings fail", cure)
    return Finding("writing", OK, "this folder and your home folder can be written to")


def _training(facts: Facts) -> Finding:
    mode = MODES[choose_mode(facts)]
    if facts.generator_step is None:
        cure = "Fix what is listed above first, then run the doctor again."
        return Finding("training", FIX, f"not one step could be trained ({facts.trouble})", cure)
    times = f"a generator's step takes {duration(facts.generator_step)}, a student's {duration(facts.student_step)}"
    says = f"{times}; labs use {mode}"
    if facts.generator_step > SLOW:
        cure = "Play recorded runs instead: from rdskd_lab.lab import Museum; Museum(). To train: a faster machine."
        return Finding("training", NOTE, says, cure)
    return Finding("training", OK, says)


# ---- showing ---------------------------------------------------------------------------------------------------------


def write_page(facts: Facts) -> str:
    """Write the findings and the times as one screen of text."""
    findings = diagnose(facts)
    count = sum(finding.level == FIX for finding in findings)
    lines = [f"rdskd-lab doctor: {f'{count} to fix' if count else 'no problems found'}."]
    for finding in findings:
        lines += _wrap(f"{finding.level:5}{finding.topic:10}", finding.says + ".")
        lines += _wrap(" " * 15 + "-> ", finding.cure) if finding.cure else []
    kinds = [(*name.split(), seconds) for name, seconds in estimate(facts).items()]
    times = [f"preset {name} about {duration(seconds)}" for kind, name, seconds in kinds if kind == "preset"]
    notebooks = {name: seconds for kind, name, seconds in kinds if kind == "notebook"}
    if notebooks:
        each = ", ".join(f"{name} ({duration(seconds)})" for name, seconds in notebooks.items())
        times.append(f"the whole course about {duration(sum(notebooks.values()))}; notebooks, about: {each}")
    return "\n".join([*lines, *(_wrap(f"{'':5}{'times':10}", "; ".join(times) + ".") if times else [])])


def write_json(facts: Facts) -> str:
    """Write facts, findings and times for a bug report; like the facts, without names or paths of the user."""
    found = {"facts": asdict(facts), "findings": [asdict(finding) for finding in diagnose(facts)]}
    return json.dumps({**found, "mode": choose_mode(facts), "seconds": estimate(facts)}, indent=2)


def _wrap(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False)


def _pip(facts: Facts) -> str:
    return "pip install" if facts.front_end == "a terminal" else "%pip install"


def _quoted(name: str) -> str:
    return f'"{name}{RANGES.get(name, "")}"'


def _install(facts: Facts, *names: str) -> str:
    then = "" if facts.front_end == "a terminal" else ", then restart the kernel"
    return f"{_pip(facts)} {' '.join(map(_quoted, names))}{then}."


def _gb(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB"


def duration(seconds: float) -> str:
    """Write a time in words: "12 ms", "40 s", "3 min" or "5 h", with two digits at most."""
    for unit, size, until in (("ms", 1e-3, 1), ("s", 1, 100), ("min", 60, 6_000)):
        if seconds < until:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{float(f'{seconds / 3600:.2g}'):g} h"
