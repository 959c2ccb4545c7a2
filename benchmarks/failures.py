"""Try what can go wrong: `python benchmarks/failures.py` writes FAILURES.md into results/.  A few minutes.

Each trial is a command line in a process of its own, in a new folder that the table calls DIR.  Disks are really
full and memory is really scarce; where this machine does not allow that (mounting needs root), the trial is left out
and named.  Exit status 1 if a trial printed anything but one sentence, or lost anything.
"""

import os
import pickle
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from rdskd_lab import __version__
from rdskd_lab.networks.architectures import LeNet5
from rdskd_lab.networks.weights import SHIPPED, save_weights

RESULTS = Path(__file__).resolve().parents[1] / "results"
SMALL = (
    "--set generator_steps=300 --set student_steps=600 --set batch_size=16 --set width=4 --set student_batch_size=16"
)
PROGRESS = re.compile(r"(generator|student): \d+/\d+ steps, .*|", re.DOTALL)
NETS = "generator.safetensors", "student.safetensors"


@dataclass
class Row:
    """One line of the table; `fault` says what was not as it should be."""

    what: str
    said: str
    status: int
    left: str
    fault: str = ""


# ---- running the command line --------------------------------------------------------------------------------------


def start(words: str, folder: Path, limits: dict | None = None, path: str = "") -> subprocess.Popen:
    """The command line in a process of its own; `limits` as in `resource.setrlimit`, `path` before its PYTHONPATH."""

    def limit():
        for what, most in (limits or {}).items():
            resource.setrlimit(what, (most, most))

    env = {key: value for key, value in os.environ.items() if key != "RDSKD_DATA"}
    env |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, (path, env.get("PYTHONPATH"))))}
    command = [sys.executable, "-m", "rdskd_lab", *words.replace("DIR", str(folder)).split()]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, preexec_fn=limit
    )


def lab(words: str, folder: Path, **how) -> tuple[int, str]:
    """Exit status and stderr."""
    process = start(words, folder, **how)
    _, err = process.communicate(timeout=3600)
    return process.returncode, err


def until(process: subprocess.Popen, word: str) -> None:
    for line in process.stderr:
        if word in line:
            return
    raise SystemExit(f"the run ended before it said {word!r}")


def sentences(err: str, folder: Path) -> list[str]:
    """What was said beside the progress, without this machine's paths, processes and hours."""
    lines = [line for line in err.splitlines() if not PROGRESS.fullmatch(line)]
    lines = [line.replace(str(folder), "DIR").removeprefix("rdskd-lab: ") for line in lines]
    return [re.sub(r"process \d+ since [\d-]+ [\d:]+", "process NUMBER since TIME", line) for line in lines]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def nets(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in NETS]


# ---- what is there to begin with -----------------------------------------------------------------------------------


class Bench:
    """A folder for all trials, with an undisturbed run and one that was stopped in its student stage."""

    def __init__(self, base: Path):
        self.base, self.number = base, 0
        self.straight, self.cut = base / "straight", base / "cut"
        assert lab(f"distill --out {self.straight} {SMALL}", base)[0] == 0
        process = start(f"distill --out {self.cut} {SMALL}", base)
        until(process, "student: 240/600")
        process.send_signal(signal.SIGTERM)
        process.communicate()

    def folder(self) -> Path:
        self.number += 1
        place = self.base / str(self.number)
        place.mkdir()
        return place

    def goes_on(self, folder: Path, words: str = "distill --out DIR/run --resume") -> str:
        """Whether the run in DIR/run ends, resumed, with the networks of the undisturbed one."""
        status, err = lab(words, folder)
        if status:
            return f"is not resumed: {err}"
        return "" if nets(folder / "run") == nets(self.straight) else "ends with other weights"


# ---- bad inputs ----------------------------------------------------------------------------------------------------


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def nothing(folder: Path) -> None:
    pass


def full_folder(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run/thesis.txt").write_text("dear")


def a_file(folder: Path) -> None:
    (folder / "run").write_text("dear")


def shortened(name: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / "run" / name, (folder / "run" / name).stat().st_size // 2)


def edited(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / "run" / name).read_bytes()
        assert old in text, (name, old)
        (folder / "run" / name).write_bytes(text.replace(old, new, 1))

    return edit


def foreign(folder: Path) -> None:
    torch.save({"epoch": 3, "model": LeNet5().state_dict()}, folder / "run/checkpoint.pt")


def another_version(folder: Path) -> None:
    checkpoint = torch.load(folder / "run/checkpoint.pt", weights_only=True)
    torch.save({**checkpoint, "format": 0, "version": "0.0.9"}, folder / "run/checkpoint.pt")


def bomb(name: str, dump: Callable = torch.save) -> Callable[[Path], None]:
    return lambda folder: dump({"format": 1, "version": Bomb(folder / "executed")}, folder / name)


def plain_pickle(thing, path: Path) -> None:
    path.write_bytes(pickle.dumps(thing))


def teacher(*shape: int) -> Callable[[Path], None]:
    return lambda folder: save_weights(LeNet5(*shape), folder / "teacher.safetensors")


def half_a_teacher(folder: Path) -> None:
    (folder / "teacher.safetensors").write_bytes(SHIPPED["lenet5"].read_bytes()[:100_000])


NEW, ON = "distill --out DIR/run", "distill --out DIR/run --resume"
TAUGHT = f"{NEW} --teacher DIR/teacher.safetensors"
FRESH = {  # what is tried: the command, and what is there before; a run must not begin, and nothing may change
    "a DIR that is not empty": (NEW, full_folder),
    "a DIR that is a file": (NEW, a_file),
    "a DIR below a file": ("distill --out DIR/run/below", a_file),
    "a DIR where no folder can be made": ("distill --out /proc/run", nothing),
    "an unknown preset": (f"{NEW} --preset clasroom", nothing),
    "an unknown method": (f"{NEW} --method rdsk", nothing),
    "an unknown term": (f"{NEW} --off dd", nothing),
    "an unknown term, weighed": (f"{NEW} --weight dd=2", nothing),
    "unknown data": (f"{NEW} --data digit", nothing),
    "an unknown anchor rule": (f"{NEW} --anchor epochs", nothing),
    "an unknown setting": (f"{NEW} --set widht=4", nothing),
    "an unknown device": (f"{NEW} --device gpu", nothing),
    "a device that is not here": (f"{NEW} --device cuda", nothing),
    "an unknown option": (f"{NEW} --presets classroom", nothing),
    "a weight that is no number": (f"{NEW} --weight ie=much", nothing),
    "a weight that is not finite": (f"{NEW} --weight ie=nan", nothing),
    "a setting that is no number": (f"{NEW} --set width=wide", nothing),
    "a setting out of its range": (f"{NEW} --set lr=-1", nothing),
    "an odd batch": (f"{NEW} --set batch_size=15", nothing),
    "a batch of the student larger than the pool": (f"{NEW} --set generator_steps=1", nothing),
    "a seed out of its range": (f"{NEW} --seed -1", nothing),
    "a teacher that is not there": (f"{NEW} --teacher lenet6", nothing),
    "a teacher with 7 classes": (TAUGHT, teacher(1, 7)),
    "a teacher with 3 channels": (TAUGHT, teacher(3, 10)),
    "half a file as teacher": (TAUGHT, half_a_teacher),
    "code in a pickle as teacher": (f"{NEW} --teacher DIR/teacher.pt", bomb("teacher.pt")),
    "code in a pickle as student": ("evaluate DIR/student.pt", bomb("student.pt", plain_pickle)),
    "--resume of nothing": (ON, nothing),
    "--resume in another folder": (ON, full_folder),
    "evaluate of nothing": ("evaluate DIR/run", nothing),
    "report of nothing": ("report DIR/run", nothing),
    "train-teacher to a folder": ("train-teacher --out DIR/run --data digits --epochs 1", full_folder),
}
BEGUN = {  # what is tried on a run that was stopped: how it is damaged; once that is mended, the run must go on
    "--resume with other options": (f"{ON} --seed 1 --off ds", nothing),
    "no --resume where there is a run": (f"{NEW} {SMALL}", nothing),
    "a truncated checkpoint": (ON, shortened("checkpoint.pt")),
    "a foreign checkpoint": (ON, foreign),
    "a checkpoint of another version": (ON, another_version),
    "code in a pickle as checkpoint": (ON, bomb("run/checkpoint.pt")),
    "code in a plain pickle as checkpoint": (ON, bomb("run/checkpoint.pt", plain_pickle)),
    "a corrupt history line": (ON, edited("history.csv", b"\nsynthesise,30,", b"\nsynthesise,3x0,")),
    "another number in the history": (ON, edited("history.csv", b"\nsynthesise,30,", b"\nsynthesise,31,")),
    "a truncated history": (ON, shortened("history.csv")),
    "a corrupt history line, in a report": (
        "report DIR/run",
        edited("history.csv", b"\nsynthesise,30,", b"\nsynthesise,3x0,"),
    ),
    "a corrupt pool": (ON, edited("pool.images", b"\x3c", b"\x3d")),
    "a truncated pool": (ON, shortened("pool.logits")),
    "a truncated config.json": (ON, shortened("config.json")),
    "a config.json changed by hand": (ON, edited("config.json", b'"seed": 0', b'"seed": 1')),
    "evaluate of half a run": ("evaluate DIR/run", nothing),
}


def judged(what: str, folder: Path, status: int, err: str, left: str, fault: str = "") -> Row:
    """A row; at fault when what was printed is not one sentence, or ended as if all were well."""
    said = sentences(err, folder)
    said = [line for line in said if not line.startswith("stopping after this step")]
    if status == 0 or len(said) != 1 or "Traceback" in err:
        fault = fault or f"not one sentence and a status above 0: {said}"
    if (folder / "executed").exists():
        fault = "code in a pickle was executed"
    return Row(what, " ".join(said), status, left, fault)


def refused(bench: Bench, what: str, command: str, prepare: Callable[[Path], None]) -> Row:
    """A command that must begin nothing."""
    folder = bench.folder()
    prepare(folder)
    before = content(folder)
    status, err = lab(command, folder)
    same = content(folder) == before and ((folder / "run").exists() == any(n.split("/")[0] == "run" for n in before))
    left = ("as it was" if before else "nothing") + (", nothing executed" if "pickle" in what else "")
    return judged(what, folder, status, err, left, "" if same else "something was written or changed")


def damaged(bench: Bench, what: str, command: str, damage: Callable[[Path], None]) -> Row:
    """A command that must refuse a damaged run and leave it so that, repaired, it can be resumed."""
    folder = bench.folder()
    whole = content(shutil.copytree(bench.cut, folder / "run"))
    damage(folder)
    before = content(folder / "run")
    status, err = lab(command, folder)
    after = content(folder / "run")
    lost = [name for name in before if not before[name].startswith(after.get(name, b"-"))]
    executed = ", nothing executed" if "pickle" in what else ""
    row = judged(what, folder, status, err, f"as it was{executed}; ", f"lost: {lost}" if lost else "")
    for name, text in whole.items():
        if before.get(name) != text:
            (folder / "run" / name).write_bytes(text)
    row.left += (
        "put back and resumed, it ends with the same weights" if before != whole else "it ends with the same weights"
    )
    row.fault = row.fault or bench.goes_on(folder)
    return row


# ---- hard failures -------------------------------------------------------------------------------------------------


@contextmanager
def disk(folder: Path, kilobytes: int, options: str = "") -> Iterator[None]:
    """A disk of that size at `folder`.  Raises PermissionError where mounting is not allowed."""
    size = f"size={kilobytes}k{options}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], stderr=subprocess.DEVNULL).returncode:
        raise PermissionError("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,rw,size=64m", folder], check=True)


def listing(run: Path) -> str:
    return ", ".join(sorted(path.name for path in run.iterdir()))


def unwritable(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    with disk(folder, 4, ",ro"):
        status, err = lab(f"distill --out DIR/run {SMALL}", folder)
        yield judged("a DIR on a read-only disk", folder, status, err, "nothing")


def full_at_the_start(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    with disk(folder, 4):
        status, err = lab(f"distill --out DIR/run {SMALL}", folder)
        fault = "something was left" if (folder / "run").exists() else ""
        enlarge(folder)
        fault = fault or bench.goes_on(folder, f"distill --out DIR/run {SMALL}")
        yield judged("disk full at the start", folder, status, err, "nothing; started again, it runs", fault)


def full_in_a_stage(bench: Bench) -> Iterator[Row]:
    for stage, run, kilobytes in ("generator", None, 2000), ("student", bench.cut, None):
        folder = bench.folder()
        used = sum(-(-path.stat().st_size // 4096) * 4 for path in run.iterdir()) if run else 0
        with disk(folder, kilobytes or used + 100):
            if run:
                shutil.copytree(run, folder / "run")
            status, err = lab(ON if run else f"distill --out DIR/run {SMALL}", folder)
            left = listing(folder / "run")
            enlarge(folder)
            fault = bench.goes_on(folder)
        left += "; with room again and --resume, it ends with the same weights"
        yield judged(f"disk full while a checkpoint of the {stage} stage is written", folder, status, err, left, fault)


def full_for_the_report(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    shutil.copytree(bench.straight, folder / "run", ignore=shutil.ignore_patterns("report.html"))
    status, err = lab(ON, folder, limits={resource.RLIMIT_FSIZE: 1_000_000})
    left, fault = listing(folder / "run"), bench.goes_on(folder)
    fault = fault or ("" if (folder / "run/report.html").exists() else "no report")
    left += "; with room again, the report is written"
    yield judged("no room for the report of a finished run", folder, status, err, left, fault)


def full_for_a_teacher(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    teacher(1, 10)(folder)
    before = content(folder)
    command = "train-teacher --data digits --epochs 1 --out DIR/teacher.safetensors"
    status, err = lab(command, folder, limits={resource.RLIMIT_FSIZE: 100_000})
    fault = "" if content(folder) == before else "the old teacher was touched"
    yield judged("no room for a trained teacher", folder, status, err, "the old teacher, whole", fault)


def from_a_gpu(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    path = shutil.copytree(bench.cut, folder / "run") / "checkpoint.pt"
    checkpoint, tag = torch.load(path, weights_only=True), torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:0"  # what a GPU's tensors say of where they were
    try:
        torch.save(checkpoint, path)
    finally:
        torch.serialization.location_tag = tag
    assert b"cuda:0" in path.read_bytes()
    left = "all files of a finished run; the same weights"
    yield Row("a checkpoint whose tensors say cuda:0", "nothing but its progress", 0, left, bench.goes_on(folder))


CLOCK = """
import random, time
jump = random.Random(0)
time.time = lambda: jump.uniform(-1e9, 4e9)
time.time_ns = lambda: int(time.time() * 1e9)
"""


def clock(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(CLOCK)
    status, err = lab(f"distill --out DIR/run {SMALL}", folder, path=str(folder / "site"))
    seconds = [float(line.split(",")[2]) for line in (folder / "run/history.csv").read_text().splitlines()[1:]]
    sane = seconds == sorted(seconds) and 0 < seconds[-1] < 600
    same = nets(folder / "run") == nets(bench.straight)
    said = " ".join(sentences(err, folder))
    yield Row(
        "the time of day jumps by decades whenever it is read",
        said or "nothing but its progress",
        status,
        f"all files of a finished run; the same weights, seconds that only grow ({seconds[-1]:.1f} in all)",
        "" if sane and same and status == 0 else "the clock was believed",
    )


def two_at_once(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    process = start(f"distill --out DIR/run {SMALL}", folder)
    until(process, "generator: 60/300")
    second = lab(f"distill --out DIR/run {SMALL}", folder)
    process.communicate()
    same = process.returncode == 0 and nets(folder / "run") == nets(bench.straight)
    fault = "" if same else "the first was disturbed"
    left = "the run of the first process, which ends with the same weights"
    yield judged("two processes on one DIR: the second", folder, *second, left, fault)


def signals(bench: Bench) -> Iterator[Row]:
    for what, number, moment in (
        ("Ctrl-C in the generator stage", signal.SIGINT, "generator: 120/300"),
        ("SIGTERM in the student stage", signal.SIGTERM, "student: 240/600"),
        ("SIGKILL in the student stage", signal.SIGKILL, "student: 120/600"),
    ):
        folder = bench.folder()
        process = start(f"distill --out DIR/run {SMALL}", folder)
        until(process, moment)
        process.send_signal(number)
        _, err = process.communicate()
        left = listing(folder / "run") + "; it ends with the same weights"
        fault = bench.goes_on(folder)
        if number == signal.SIGKILL:
            yield Row(what, "nothing", process.returncode, left, fault)
        else:
            yield judged(what, folder, process.returncode, err, left, fault)


def memory(bench: Bench) -> Iterator[Row]:
    gigabyte = 1 << 30
    for what, words in (
        ("out of memory for the pool", "--set generator_steps=10000000"),
        ("out of memory in the generator stage", f"{SMALL} --set pooled=false --set batch_size=16384 --set width=256"),
        ("out of memory in the student stage", f"{SMALL} --set pooled=false --set student_batch_size=600000"),
    ):
        folder = bench.folder()
        status, err = lab(f"distill --out DIR/run {words}", folder, limits={resource.RLIMIT_AS: 6 * gigabyte})
        left = listing(folder / "run") if (folder / "run").exists() else "nothing"
        named = "" if "lower" in err else "names no setting"
        yield judged(f"{what} (6 GB of address space)", folder, status, err, left, named)


def collapse(bench: Bench) -> Iterator[Row]:
    folder = bench.folder()
    status, err = lab(f"distill --out DIR/run {SMALL} --off ie --off ds --weight oh=5", folder)
    said = sentences(err, folder)
    warned = status == 0 and len(said) == 1 and said[0].startswith("warning: the generator has collapsed")
    yield Row(
        "a generator that collapses (`--off ie --off ds --weight oh=5`)",
        " ".join(said),
        status,
        "all files of a finished run",
        "" if warned else "not warned of, or stopped",
    )


HARD = (
    full_for_the_report,
    memory,
    collapse,
    signals,
    two_at_once,
    unwritable,
    full_at_the_start,
    full_in_a_stage,
    full_for_a_teacher,
    from_a_gpu,
    clock,
)


# ---- the table -----------------------------------------------------------------------------------------------------


def trials(bench: Bench, only: str) -> Iterator[tuple[str, Row]]:
    for trial in HARD:
        try:
            if only in trial.__name__ or only == "":
                yield from (("Hard failures", row) for row in trial(bench))
        except PermissionError as error:
            yield "Hard failures", Row(f"{trial.__name__.replace('_', ' ')}: not tried", str(error), 0, "")
    for group, way, cases in ("Bad input", refused, FRESH), ("A run whose files were changed", damaged, BEGUN):
        yield from ((group, way(bench, what, *case)) for what, case in cases.items() if only in what)


def table(rows: list[tuple[str, Row]]) -> str:
    cell = str.maketrans({"|": "\\|", "\n": " ", "*": "\\*", "<": "&lt;"})
    text, before = [], None
    for group, row in rows:
        if group != before:
            text += ["", f"## {group}", "", "| tried | printed on stderr | exit | left on disk |", "|---|---|--:|---|"]
        what, said, left = (part.translate(cell) for part in (row.what, row.said, row.left))
        text.append(f"| {what} | {said} | {row.status} | {left} |")
        before = group
    return "\n".join(text) + "\n"


HEAD = f"""# What can go wrong, and what is then printed

Written by `python benchmarks/failures.py` (rdskd-lab {__version__}, torch {torch.__version__.split("+")[0]}), which
tries each one: a command line in a process of its own, in a new folder, here called DIR. Every message is one line
on stderr after `rdskd-lab:`; "the same weights" means that generator and student are, byte for byte, those of a run
that was not disturbed. Progress is left out here.
"""


def main(only: str = "") -> None:
    rows, start_time = [], time.monotonic()
    with tempfile.TemporaryDirectory() as base:
        bench = Bench(Path(base).resolve())
        for group, row in trials(bench, only):
            rows.append((group, row))
            if not only:
                (RESULTS / "FAILURES.md").write_text(HEAD + table(rows))
            print(f"{'FAULT ' if row.fault else ''}{row.what}: {row.status} {row.said}", row.fault, flush=True)
    faults = [row.what for _, row in rows if row.fault]
    print(f"{len(rows)} trials in {time.monotonic() - start_time:.0f} s; at fault: {', '.join(faults) or 'none'}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main(*sys.argv[1:])
