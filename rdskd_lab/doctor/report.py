"""The environment doctor: what is wrong here, what to type, and how long things will take.

    rdskd-lab doctor                                   in a terminal
    from rdskd_lab.doctor import doctor; doctor()      in a notebook's first cell

`checkup.look()` gathers facts, `diagnose(facts)` judges them, `write_page` and `write_json` tell.
"""

import json
import re
import textwrap
from dataclasses import asdict, dataclass

from ..methods.rdskd import PRESETS
from .facts import RANGES, Facts, look

OK, NOTE, MEND = "ok", "note", "MEND"  # nothing to do; good to know; will stop or cripple the course
WIDTH = 100  # characters of the page
NEEDED = 1.3e9  # bytes of memory that the heaviest notebook may take
ROOM = 2e9  # bytes of disk below which runs and downloads are in danger
SLOW = 1.0  # s; a lab whose steps take longer is no longer something to watch
CORE = ("torch", "torchvision", "numpy", "safetensors", "tqdm", "typer")
DRAWING = ("plotly", "matplotlib", "ipywidgets", "anywidget")  # what a notebook needs besides
MODES = {
    "task": "task: it trains beside the cell, and every control answers at once",
    "chunk": "chunk: it trains 2 seconds at a time; where a control answers late, run the cell again",
    "inline": "inline: a cell trains until it is done; stop it with the interrupt button",
    "replay": "no mode that trains, as a step takes too long to watch",
}

# Steps that a whole run or a notebook takes: (generator's, student's), each as costly as one of preset classroom.
WORK = {
    f"preset {name}": (PRESETS[name].generator_steps, PRESETS[name].student_steps) for name in ("classroom", "long")
}
WORK |= {
    "notebook 00": (150, 800),
    "notebook 01": (280, 1250),
    "notebook 02": (200, 0),
    "notebook 03": (240, 0),
    "notebook 04": (1300, 0),
    "notebook 05": (500, 0),
    "notebook 06": (300, 0),
    "notebook 07": (1200, 0),
    "notebook 08": (330, 1050),
    "notebook 09": (800, 0),
    "notebook 10": (500, 800),
    "notebook 11": (260, 600),
    "notebook 12": (360, 1080),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: OK, NOTE or MEND, in a sentence; the cure is what to do, or type."""

    topic: str
    level: str
    says: str
    cure: str = ""


def doctor(as_json: bool = False) -> None:
    """Print the page; or, for a bug report, the same as JSON without names or paths of yours."""
    facts = look()
    print(write_json(facts) if as_json else write_page(facts))


# ---- judging: each looks at the facts and gives findings -------------------------------------------------------------


def diagnose(facts: Facts) -> list[Finding]:
    """All findings, in the order of the page."""
    judges = (_python, _kernel, _packages, _memory, _cores, _gpu, _data, _disk, _writing, _training)
    return [judge(facts) for judge in judges]


def choose_mode(facts: Facts) -> str:
    """How a lab should train here: as the front end allows, or not at all where a step takes more than a second."""
    return "replay" if facts.step is None or facts.step > SLOW else facts.mode


def estimate(facts: Facts) -> dict[str, float]:
    """Seconds that each row of WORK will take, by the steps measured here; nothing where none could be."""
    if facts.step is None or facts.lesson is None:
        return {}
    return {name: steps * facts.step + lessons * facts.lesson for name, (steps, lessons) in WORK.items()}


def fits(version: str, asked: str) -> bool:
    """Whether a version lies in a range such as ">=6.17,!=7.0.*"; its numbers decide, not what follows (rc1, +cpu)."""
    have = _numbers(version)
    for part in asked.split(","):
        sign, bound = re.fullmatch(r"(>=|<|!=)([0-9.]+?)(?:\.\*)?", part).groups()
        bound = _numbers(bound)
        padded = have + (0,) * (len(bound) - len(have))
        kept = {">=": padded >= bound, "<": padded < bound, "!=": padded[: len(bound)] != bound}[sign]
        if not kept:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.match(r"\d+(?:\.\d+)*", version)[0].split(".")))


def _python(facts: Facts) -> Finding:
    says = f"{facts.python} on {facts.system}, rdskd-lab {facts.package}, in {facts.front_end}"
    if _numbers(facts.python) < (3, 11):
        return Finding("Python", MEND, f"{says}; 3.11 or later is needed", "Install Python 3.12, then make env.")
    return Finding("Python", OK, says)


def _kernel(facts: Facts) -> Finding:
    kernel = facts.versions.get("ipykernel")
    if kernel is None:
        return Finding("kernel", NOTE, "there is none, so notebooks cannot run here", _install(facts, "ipykernel"))
    if not fits(kernel, RANGES["ipykernel"]):
        why = "breaks labs at their first update" if kernel.startswith("7.0") else "is too old"
        return Finding("kernel", MEND, f"ipykernel {kernel} {why}", _install(facts, "ipykernel"))
    return Finding("kernel", OK, f"ipykernel {kernel}")


def _packages(facts: Facts) -> Finding:
    """The versions of what is imported: one cure for all that does not fit."""
    here, notebook = facts.versions, facts.front_end != "a terminal"
    wanted = [name for name in RANGES if name in CORE or name in here or (notebook and name in DRAWING)]
    wanted = [name for name in wanted if name != "ipykernel"]  # which has a line of its own
    wrong = [name for name in wanted if name not in here or not fits(here[name], RANGES[name])]
    if wrong:
        listed = ", ".join(f"{name} {here.get(name, 'is missing')}" for name in wrong)
        needs = ", ".join(f"{name}{RANGES[name]}" for name in wrong)
        return Finding("packages", MEND, f"{listed}; needed: {needs}", _install(facts, *wrong))
    widgets, half = here.get("ipywidgets"), here.get("jupyterlab_widgets")
    if facts.front_end == "Colab" and _numbers(widgets)[0] != 7:
        cure = '%pip install "ipywidgets==7.7.1", then Runtime > Restart session.'
        return Finding("packages", MEND, f"Colab's page cannot show ipywidgets {widgets}", cure)
    pairs = {7: 1, 8: 3}
    if widgets and half and facts.front_end != "Colab" and _numbers(half)[0] != pairs[_numbers(widgets)[0]]:
        want = pairs[_numbers(widgets)[0]]
        cure = f'{_pip(facts)} "jupyterlab_widgets=={want}.*", then restart JupyterLab and reload the page.'
        return Finding("packages", MEND, f"ipywidgets {widgets} and jupyterlab_widgets {half} do not fit", cure)
    if absent := [name for name in DRAWING if name not in here]:
        cure = f"For notebooks and reports: {_pip(facts)} {' '.join(_quoted(name) for name in absent)}"
        return Finding("packages", NOTE, f"torch {here['torch']}; without {', '.join(absent)}", cure)
    shown = " ".join(f"{name} {here[name]}," for name in ("torch", "ipywidgets", "anywidget", "plotly"))
    return Finding("packages", OK, f"{shown} and the rest fit")


def _memory(facts: Facts) -> Finding:
    usable = min((n for n in (facts.memory, facts.machine_memory) if n), default=None)
    if usable is None:
        return Finding("memory", NOTE, "this system does not tell how much there is",
                       "Keep 2 GB free for the heaviest notebook.")  # fmt: skip
    of = f" of the machine's {_gb(facts.machine_memory)}" if facts.memory and facts.machine_memory else ""
    says = f"{_gb(usable)} may be used{of}"
    if usable < NEEDED:
        cure = "Close other notebooks, raise the limit of the container or server to 2 GB, or use Colab."
        return Finding("memory", MEND, f"{says}; the heaviest notebook takes up to {_gb(NEEDED)}", cure)
    return Finding("memory", OK, says)


def _cores(facts: Facts) -> Finding:
    says = f"{facts.cores:g} may be used"
    if facts.cores < 1:
        return Finding(
            "cores", NOTE, f"{says}: training will halt at times", "Nothing to mend; the times below count it."
        )
    return Finding("cores", OK, says)


def _gpu(facts: Facts) -> Finding:
    if facts.gpu:
        return Finding("GPU", OK, facts.gpu + (f", {_gb(facts.gpu_memory)}" if facts.gpu_memory else ""))
    if facts.front_end == "Colab":
        return Finding("GPU", NOTE, "none is switched on", "Runtime > Change runtime type, choose a GPU, Save.")
    cure = "Nothing to mend: the course is made for a CPU. Colab lends a GPU for larger runs."
    return Finding("GPU", NOTE, "none that torch can use", cure)


def _data(facts: Facts) -> Finding:
    if not facts.digits:
        cure = f"Put the package in anew: {_pip(facts)} --force-reinstall --no-deps, with what you installed it from."
        return Finding("data", MEND, "the 5,000 digits that come with the package are not there", cure)
    if not facts.mnist:
        cure = "Nothing to mend. --data mnist downloads 12 MB; or set RDSKD_DATA to a folder that holds MNIST/raw."
        return Finding("data", NOTE, "the shipped digits are there, MNIST is not", cure)
    return Finding("data", OK, "the shipped digits and MNIST are there")


def _disk(facts: Facts) -> Finding:
    if facts.disk is None:
        return Finding("disk", NOTE, "this folder does not tell how much is free", "Work in a folder of a local disk.")
    if facts.disk < ROOM:
        level, cure = (
            (MEND if facts.disk < ROOM / 20 else NOTE),
            "Delete old runs (the folder runs/) or work elsewhere.",
        )
        full = "the disk is full" if facts.disk < ROOM / 200 else "little room"
        return Finding("disk", level, f"{full}: {_gb(facts.disk)} free here", cure)
    return Finding("disk", OK, f"{_gb(facts.disk)} free here")


def _writing(facts: Facts) -> Finding:
    if not facts.here_writable:
        cure = "Copy the folder to where you may write, or give --out a folder there."
        return Finding("writing", MEND, "this folder cannot be written to, so a run leaves nothing", cure)
    if not facts.home_writable:
        cure = 'Before anything is started, set HOME to a folder where you may write: export HOME="$PWD"'
        return Finding("writing", MEND, "your home folder cannot be written to: downloads and settings fail", cure)
    return Finding("writing", OK, "this folder and your home folder can be written to")


def _training(facts: Facts) -> Finding:
    mode = MODES[choose_mode(facts)]
    if facts.step is None:
        cure = "Mend what stands above first, then look again."
        return Finding("training", MEND, f"not one step could be trained ({facts.trouble})", cure)
    says = f"a generator's step takes {duration(facts.step)}, a student's {duration(facts.lesson)}; labs use {mode}"
    if facts.step > SLOW:
        cure = "Play recorded runs instead: from rdskd_lab.lab import Museum; Museum(). To train: a faster machine."
        return Finding("training", NOTE, says, cure)
    return Finding("training", OK, says)


# ---- telling ---------------------------------------------------------------------------------------------------------


def write_page(facts: Facts) -> str:
    """The findings and the times as one screen of text."""
    findings = diagnose(facts)
    count = sum(finding.level == MEND for finding in findings)
    lines = [f"rdskd-lab doctor: {f'{count} to mend' if count else 'nothing to mend'}."]
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
    """Facts, findings and times, for a bug report; like the facts, without names or paths of the user."""
    told = {"facts": asdict(facts), "findings": [asdict(finding) for finding in diagnose(facts)]}
    return json.dumps({**told, "mode": choose_mode(facts), "seconds": estimate(facts)}, indent=2)


def _wrap(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False)


def _pip(facts: Facts) -> str:
    return "pip install" if facts.front_end == "a terminal" else "%pip install"


def _quoted(name: str) -> str:
    return f'"{name}{RANGES[name]}"'


def _install(facts: Facts, *names: str) -> str:
    then = "" if facts.front_end == "a terminal" else ", then restart the kernel"
    return f"{_pip(facts)} {' '.join(map(_quoted, names))}{then}."


def _gb(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB"


def duration(seconds: float) -> str:
    """A time in words: "12 ms", "40 s", "3 min" or "5 h": two digits at most."""
    for unit, size, until in (("ms", 1e-3, 1), ("s", 1, 100), ("min", 60, 6_000)):
        if seconds < until:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{float(f'{seconds / 3600:.2g}'):g} h"
