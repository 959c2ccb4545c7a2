"""Check notebooks as `make test` does and say what each takes: `python results/notebooks.py [NAME ...]`.

Writes results/notebooks.csv: CPU seconds, seconds by the clock and peak memory of each notebook's nbval pass, and how
many of the generator's steps (preset classroom, measured here in the same minute) the CPU seconds are worth, which is
what WORK in `rdskd_lab/doctor.py` wants to know.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

TOP = Path(__file__).resolve().parents[1]
TABLE = TOP / "results" / "notebooks.csv"
COLUMNS = ("notebook", "passed", "cpu_s", "clock_s", "peak_mb", "generator_steps")
NBVAL = "--nbval --nbval-current-env --nbval-cell-timeout 300 --nbval-sanitize-with tests/nbval_sanitize.cfg".split()


def cost() -> tuple[float, float]:
    """CPU seconds of a kernel that only imports what all notebooks do, and of one of the generator's steps."""
    code = (
        "from time import process_time as t\n"
        "import torch; torch.set_num_threads(1)\n"
        "from rdskd_lab.checkup import measure\n"
        "from rdskd_lab.plots import canvas; canvas(8, 3)\n"
        "begun = t()\n"
        "import rdskd_lab as lab\n"
        "from itertools import islice\n"
        "from rdskd_lab import weights\n"
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
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *NBVAL, path]
    process = subprocess.Popen(command, cwd=TOP, env=os.environ | {"RDSKD_LAB_MODE": "inline"})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return {
        "notebook": path.stem, "passed": process.returncode == 0, "cpu_s": round(cpu, 1),
        "clock_s": round(perf_counter() - begun, 1), "peak_mb": round(used.ru_maxrss * 1024 / 1e6),
        "generator_steps": round(max(cpu - 2 * idle, 0) / step, -1),
    }  # fmt: skip


def main(names: list[str]) -> int:
    """Check those that are named, or all; keep the other rows of the table."""
    rows = {row["notebook"]: row for row in csv.DictReader(TABLE.open())} if TABLE.is_file() else {}
    paths = [TOP / "notebooks" / f"{name}.ipynb" for name in names] or sorted((TOP / "notebooks").glob("*.ipynb"))
    for path in paths:
        rows[path.stem] = check(path)
        print(rows[path.stem], flush=True)
        with TABLE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[name] for name in sorted(rows))
    return not all(rows[path.stem]["passed"] for path in paths)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
