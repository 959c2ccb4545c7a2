"""Check notebooks as `make test` does, with more patience, and say what each takes.

    python benchmarks/notebooks.py [OPTION] [NAME ...]

Without an option writes results/notebooks.csv: CPU seconds, seconds by the clock and peak memory of each notebook's
nbval pass, and how many of the generator's steps (preset classroom, measured here in the same minute) the CPU seconds
are worth, which is what WORK in `rdskd_lab/doctor/report.py` wants to know.

--small writes results/small.csv: the same pass on one core and one thread, where no process may have more than 2 GB of
data. That limit is RLIMIT_DATA: heap and all that is private and writable, so an allocation beyond it fails. (RLIMIT_AS
would count the gigabytes of address space that torch's libraries only reserve; a control group was not ours to make.)
Beside it stands the most that pytest held plus the most that the kernel held (RSS), which fails above 2 GB too.

--estimates writes nothing: it prints what the doctor says that each notebook takes, what it then took from the first
cell on, and the ratio. Both by the clock, so on an idle machine; --estimates-cpu counts both in CPU seconds of one
thread, for a busy one.
"""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter, sleep

TOP = Path(__file__).resolve().parents[1]
COLUMNS = ("notebook", "passed", "cpu_s", "clock_s", "peak_mb", "generator_steps")
SMALL = ("notebook", "passed", "cpu_s", "clock_s", "peak_mb", "together_mb", "limits")
NBVAL = "--nbval --nbval-current-env --nbval-cell-timeout 3000 --nbval-sanitize-with tests/nbval_sanitize.cfg".split()
ROOM = 2e9  # bytes: Binder's
INLINE = {"RDSKD_LAB_MODE": "inline"}
ONE_THREAD = INLINE | {"OMP_NUM_THREADS": "1"}


def cost() -> tuple[float, float]:
    """CPU seconds of a kernel that only imports what all notebooks do, and of one of the generator's steps."""
    code = (
        "from time import process_time as t\n"
        "import torch; torch.set_num_threads(1)\n"
        "from rdskd_lab.doctor.facts import measure\n"
        "from rdskd_lab.reporting.style import canvas; canvas(8, 3)\n"
        "begun = t()\n"
        "import rdskd_lab as lab\n"
        "from itertools import islice\n"
        "from rdskd_lab.networks import weights\n"
        "teacher = weights.load_weights(lab.LeNet5(), weights.SHIPPED['lenet5'])\n"
        "run = lab.Distillation(teacher, lab.LeNet5Half(), lab.rdskd(), lab.PRESETS['classroom'])\n"
        "steps = run.synthesise()\n"
        "for _ in islice(steps, 5): pass\n"
        "a = t()\n"
        "for _ in islice(steps, 30): pass\n"
        "print(begun, (t() - a) / 30)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    idle, step = map(float, done.stdout.split())
    return idle, step


def check(path: Path) -> dict:
    """One notebook's row: nbval in a process of its own, whose kernel is counted with it."""
    idle, step = cost()
    begun = perf_counter()
    process = subprocess.Popen(nbval(path), cwd=TOP, env=os.environ | INLINE)
    row, cpu = finish(process, path, begun)
    return row | {"generator_steps": round(max(cpu - 2 * idle, 0) / step, -1)}


def check_small(path: Path) -> dict:
    """One notebook's row on a small machine; passed only if all that ran for it stayed below 2 GB together."""
    import psutil

    begun, most = perf_counter(), 0
    process = subprocess.Popen(nbval(path), cwd=TOP, env=os.environ | ONE_THREAD, preexec_fn=squeeze)
    root = psutil.Process(process.pid)
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        most = max(most, sum(map(peak, [root, *root.children(recursive=True)])))
        sleep(0.25)
    row, _ = finish(process, path, begun)
    limits = f"{ROOM / 1e9:g} GB of data a process (RLIMIT_DATA) and 1 core"
    passed = row["passed"] and most < ROOM
    return row | {"passed": passed, "together_mb": round(most / 1e6), "limits": limits}


def nbval(path: Path) -> list[str]:
    """The command that compares a notebook's outputs, cell by cell."""
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *NBVAL, str(path)]


def finish(process: subprocess.Popen, path: Path, begun: float) -> tuple[dict, float]:
    """Wait for a notebook's process: what both tables tell of it, and its CPU seconds with its kernel's."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    row = {
        "notebook": path.stem,
        "passed": process.returncode == 0,
        "cpu_s": round(cpu, 1),
        "clock_s": round(perf_counter() - begun, 1),
        "peak_mb": round(used.ru_maxrss * 1024 / 1e6),
    }
    return row, cpu


def squeeze() -> None:
    """Make this process, and all that it starts, small."""
    import resource

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_DATA, (int(ROOM), int(ROOM)))


def peak(process) -> int:
    """The most bytes that a process has held so far; 0 once it is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


def estimates(paths: list[Path], clock: str) -> int:
    """Print, for each notebook, what the doctor says after its first cell and what the rest then takes, in seconds."""
    os.environ |= ONE_THREAD if clock == "process_time" else INLINE
    wrong = 0
    print(f"{'notebook':27}{'estimate':>9}{'truth':>8}{'estimate / truth':>18}   ({clock})")
    for path in paths:
        estimate, truth = compare(path, clock)
        wrong += not 0.5 <= estimate / truth <= 2
        print(f"{path.stem:27}{estimate:9.1f}{truth:8.1f}{estimate / truth:18.2f}", flush=True)
    print(f"{wrong} of {len(paths)} are not within a factor of 2")
    return bool(wrong)


def compare(path: Path, clock: str) -> tuple[float, float]:
    """Seconds as estimated and as taken, both by the same clock and in the notebook's own kernel."""
    import nbclient
    import nbformat

    book = nbformat.read(path, as_version=4)
    first = next(i for i, cell in enumerate(book.cells) if cell.cell_type == "code" and "= begin(" in cell.source)
    ask = (
        "import time as _time\n"
        "from rdskd_lab.doctor import facts as _checkup, report as _doctor\n"
        f"_checkup.perf_counter = _time.{clock}\n"
        f"_estimate = _doctor.estimate(_doctor.look())[_doctor.row('{path.stem}')]\n"
        f"_begun = _time.{clock}()"
    )
    book.cells.insert(first + 1, nbformat.v4.new_code_cell(ask))
    book.cells.append(nbformat.v4.new_code_cell(f"print(_estimate, _time.{clock}() - _begun)"))
    nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    estimate, truth = book.cells[-1].outputs[-1].text.split()
    return float(estimate), float(truth)


def write(table: Path, columns: tuple[str, ...], check, paths: list[Path]) -> int:
    """Check notebooks into a table and keep its other rows; 0 if all passed."""
    rows = {row["notebook"]: row for row in csv.DictReader(table.open())} if table.is_file() else {}
    for path in paths:
        rows[path.stem] = check(path)
        print(rows[path.stem], flush=True)
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[name] for name in sorted(rows))
    return not all(rows[path.stem]["passed"] for path in paths)


def main(words: list[str]) -> int:
    """Do what the option says, to the notebooks that are named, or to all."""
    option = words.pop(0) if words and words[0].startswith("--") else ""
    paths = [TOP / "notebooks" / f"{name}.ipynb" for name in words] or sorted((TOP / "notebooks").glob("*.ipynb"))
    match option:
        case "":
            return write(TOP / "results" / "notebooks.csv", COLUMNS, check, paths)
        case "--small":
            return write(TOP / "results" / "small.csv", SMALL, check_small, paths)
        case "--estimates":
            return estimates(paths, "perf_counter")
        case "--estimates-cpu":
            return estimates(paths, "process_time")
    raise SystemExit(f"no option {option}; there are --small, --estimates, --estimates-cpu")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
