"""Try what people bring: `python benchmarks/what_people_bring/run.py [ID ...] [--label before] [--jobs 2]`; see --help.

Each input of `cases` is run in a fresh folder and a process of its own, with a time limit, and judged by what it
printed and left.  All of them, or those whose ID begins so.  Writes
results/what_people_bring_LABEL.csv, in which other inputs keep their rows, and results/what_people_bring.md from it.

To save time a process that has imported torch already forks for each input; a shell command (several words, a pipe, a
signal) starts the real command line.  No path of this machine is stored.
"""

import argparse
import csv
import importlib
import importlib.util
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import site
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from cases import CASES, INPUTS, SAYS, Case  # noqa: E402

from rdskd_lab.cli import main as command_line  # noqa: E402

for name in ("rdskd_lab.runs.execute", "rdskd_lab.reporting.run_report", "torch._dynamo", "plotly.io"):
    importlib.import_module(name)  # so that a fork has what every run needs
importlib.import_module("plotly.graph_objects").Figure()

RESULTS = ROOT / "results"
COLUMNS = "id kind handed what expected status seconds outcome late left accuracy printed verdict".split()
PROGRESS = re.compile(r"(generator|student|both) *: *\d+/\d+ steps.*|constructed|Terminated.*|forward \(.*", re.DOTALL)
AFTER_GENERATOR = re.compile(r"generator *: (\d+)/\1 steps|student *: \d+/\d+ steps|^constructed", re.MULTILINE)
NOISE = re.compile(r"collapsed|stopping after this step")
TIMES = RESULTS / "what_people_bring_times.csv"  # of check_times.py
TIMED = (
    "Median of five, one process, one thread (`check_times.py`). Two cores, one other program on them: 0.101 and "
    "7.206 s by the clock when some ten others shared them."
)
WHY = {  # why an input is still wrong, by its ID
    "paper-memory": "(Its 5.4 GB fit into the 24 GB of this machine, so nothing had to be said here.)",
    "evaluate-other-size": "(It names the 28 pixels that do not fit, in torch's words; not the teacher's 32.)",
    "encoding-ascii-compare": "(It is refused, but with λ as this locale gives it, \\udcce\\udcbb.)",
    "teacher-meta": "(Mended after this row was run: the hash in memory leaves out what has no values.)",
}
FELL = (
    0.15  # below the accuracy of the untouched teacher's student, one seed (log-softmax, which is the same, lost 0.06)
)
SHELL = set(";|&<>$`(){}")
VERDICTS = {
    "right": "as it should be",
    "silent": "a wrong result, or a run that cannot end well, without a word",
    "traceback": "a traceback",
    "late": "a sentence, after the generator stage was paid for",
    "other sentence": "refused as it should be; the sentence does not name what is wrong or what to do",
    "should work": "refused, and should work",
    "no word": "ended without a result and without a sentence",
    "killed": "ended by a signal",
    "hang": "did not end within its time limit",
    "says too little": "works, and does not say what it should",
    "not prepared": "the input could not be made here",
}


# ---- one input -------------------------------------------------------------------------------------------------------


class Trial:
    """One input in its folder; `poll` gives its row once it has ended."""

    def __init__(self, case: Case, base: Path, patience: float):
        self.case, self.patience, self.place = case, patience, Path(tempfile.mkdtemp(prefix="w", dir=base))
        self.folder = self.place / "work"
        self.folder.mkdir()
        for file in INPUTS.glob("*.py"):
            shutil.copy(file, self.folder)
        for name, text in case.files:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.pid = os.fork()
        if not self.pid:
            self._child()

    def _child(self):
        status = 70
        try:
            os.setsid()
            os.chdir(self.folder)
            os.environ |= environment(self.place)
            for number, name in enumerate(("/dev/null", "../out", "../err")):
                file = os.open(name, os.O_RDONLY if not number else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(file, number)
            sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))
            if self.case.prepare and in_fork(lambda: prepare(self.case.prepare)):
                Path("../failed").touch()
                os._exit(70)
            (self.place / "before.json").write_text(json.dumps(listing(self.folder)))
            for name in ("../out", "../err"):
                Path(name).write_text("")
            (self.place / "started").write_text(str(time.monotonic()))
            if not (words := plain_words(self.case.run)):
                os.execvp("bash", ["bash", "-c", self.case.run])
            sys.path[:] = [place for place in sys.path if place not in (str(INPUTS), str(HERE))]
            for file in INPUTS.glob("*.py"):
                sys.modules.pop(file.stem, None)
            sys.argv = words[words[0] == "python" :]
            if words[0] == "python":
                sys.path.insert(0, str(self.folder))
                status = code_of(lambda: runpy.run_path(words[1], run_name="__main__"))
            else:
                status = code_of(lambda: command_line(words[1:]))
        finally:
            os._exit(status)

    def poll(self) -> dict | None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        started = self.place / "started"
        begun = float(started.read_text() or 0) if started.exists() else 0.0
        late = begun and time.monotonic() - begun > self.case.limit * self.patience
        if not pid and not late:
            return None
        if not pid:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        seconds = time.monotonic() - begun if begun else 0.0
        code = None if not pid else os.waitstatus_to_exitcode(status)
        try:
            os.killpg(self.pid, signal.SIGKILL)  # what it left in the background
        except ProcessLookupError:
            pass
        row = self._row(code, seconds)
        shutil.rmtree(self.place, ignore_errors=True)
        return row

    def _row(self, code: int | None, seconds: float) -> dict:
        out, err = ((self.place / name).read_text(errors="backslashreplace") for name in ("out", "err"))
        facts = {"id": self.case.id, "status": "" if code is None else code, "seconds": f"{seconds:.1f}"}
        facts |= {"late": "", "left": "", "accuracy": ""}
        if (self.place / "failed").exists():
            said = last_lines(err, self.place)
            return facts | {"outcome": "not prepared", "printed": said}
        before = json.loads((self.place / "before.json").read_text())
        left = [name for name in listing(self.folder) if name not in before]
        finished = {str(Path(name).parent) for name in left if name.endswith("result.json")}
        told = [name for name in left if str(Path(name).parent) not in finished]
        told += [f"a finished run in {place}" for place in finished]
        found = outcome(code, out, err, "distill --out" not in self.case.run or bool(finished))
        accuracy = re.search(r"student: ([\d.]+)%", out)
        return facts | {
            "outcome": found,
            "late": "yes" if found != "works" and AFTER_GENERATOR.search(err) else "",
            "left": " ".join(sorted(told)),
            "accuracy": f"{float(accuracy[1]) / 100:.4f}" if accuracy else "",
            "printed": printed(out, err, found, self.place),
        }


def environment(place: Path) -> dict[str, str]:
    """The command on PATH, the package of this checkout, nothing of the user's own settings."""
    return {
        "PATH": f"{place.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RDSKD_DATA": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def plain_words(run: str) -> list[str]:
    """The words of a command that needs no shell, else nothing."""
    simple = run.startswith(("rdskd-lab ", "python in_python.py ")) and not SHELL & set(run)
    simple = simple and not run.startswith(
        ("rdskd-lab compare", "rdskd-lab study")
    )  # which start processes of their own
    return shlex.split(run) if simple else []


def prepare(names: str) -> None:
    for name in names.split():
        module, _, function = name.partition(".")
        getattr(importlib.import_module(module), function)()


def in_fork(job) -> int:
    """Exit status of `job` in a process of its own."""
    pid = os.fork()
    if not pid:
        os._exit(code_of(job))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def code_of(job) -> int:
    """Do `job` as Python does a script: a traceback and 1, or what it exits with."""
    status = 0
    try:
        job()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush(), sys.stderr.flush()
    except OSError:
        status = 120
    return status


def listing(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


# ---- judging ---------------------------------------------------------------------------------------------------------


def own(err: str) -> list[str]:
    """The package's own sentences."""
    return [line for line in err.splitlines() if line.startswith("rdskd-lab:") and not NOISE.search(line)]


def outcome(code: int | None, out: str, err: str, complete: bool) -> str:
    """What happened, whatever should have."""
    if code is None:
        return "hang"
    if "Traceback (most recent call last)" in err:
        return "traceback"
    if code == 99:  # so says in_python
        return "wrong"
    if code in (124, 130, 143) and "collapsed" not in err[-200:] or code == 129 and own(err):
        return "stopped"
    if code < 0 or code > 128:
        return "killed"
    if code:
        return "refused" if own(err) else "no word"
    if not complete:
        return "no word"
    return "warns" if own(err) else "works"


def verdict(case: Case, row: dict, untouched: dict | None) -> str:
    """How good that is; `untouched` is the row of the teacher with which nothing is wrong."""
    found, wanted = row["outcome"], case.expect.split(" or ")
    if found in ("traceback", "hang", "killed", "no word", "not prepared"):
        return "right" if found in wanted else found
    if found == "wrong":
        return "silent"
    if found == "works" and case.measured and untouched and untouched["accuracy"] and row["accuracy"]:
        if float(row["accuracy"]) < float(untouched["accuracy"]) - FELL:
            return "silent"
    if found not in wanted and found == "refused":
        return "should work"
    if found not in wanted and not (found == "warns" and "works" in wanted):
        return "silent"
    if found == "refused" and row["late"] and not case.late:
        return "late"
    asked = case.words if case.id in SAYS or (found in ("refused", "warns") and found in wanted) else ()
    if all(re.search(word, row["printed"], re.IGNORECASE) for word in asked):
        return "right"
    return "other sentence" if found == "refused" else "says too little" if "works" in wanted else "silent"


def cleaned(text: str, place: Path) -> str:
    """Without this machine's paths, processes, addresses and hours."""
    names = [(str(place / "work"), "DIR"), (str(place), "DIR"), (str(place.parent), "TMP"), (str(ROOT), "REPO")]
    names += [(path, "SITE") for path in [*site.getsitepackages(), *map(str, sys.path)] if path.endswith("-packages")]
    names += [(os.path.dirname(os.__file__), "LIB"), (sys.prefix, "ENV"), (sys.base_prefix, "PYTHON")]
    for path, word in sorted(names, key=lambda pair: -len(pair[0])) + [(str(Path.home()), "HOME")]:
        text = text.replace(path, word)
    text = re.sub(r"process \d+ since [\d-]+ [\d:]+", "process NUMBER since TIME", text)
    text = re.sub(r"line (\d+): +\d+ ", r"line \1: NUMBER ", text)
    return re.sub(r"0x[0-9a-f]{6,}", "0xADDRESS", text)


def last_lines(text: str, place: Path, most: int = 3) -> str:
    lines = [line.strip() for line in cleaned(text, place).splitlines() if line.strip()]
    told = [line for line in lines if not PROGRESS.fullmatch(line) and not NOISE.search(line)]
    return " / ".join(told[-most:])[-600:]


def printed(out: str, err: str, found: str, place: Path) -> str:
    """The last lines of stderr, or of stdout where it says nothing; of a traceback its exception."""
    if found == "traceback":
        lines = cleaned(err, place).strip().splitlines()
        head = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Iteration)\b")
        last = max((i for i, line in enumerate(lines) if head.match(line)), default=-1)
        return f"traceback of {len(lines)} lines: {' '.join(' '.join(lines[last:]).split())[:300]}"
    if said := own(err):
        return last_lines("\n".join(said), place)
    text = last_lines(err, place) or last_lines(out, place)
    return re.sub(r"after [\d,]+ s\b", "after N s", text)


# ---- all of them -----------------------------------------------------------------------------------------------------


def try_all(cases: list[Case], jobs: int, patience: float, keep) -> None:
    """Run every case, `jobs` at a time, and hand each row to `keep`."""
    with tempfile.TemporaryDirectory(prefix="bring") as name:
        base, waiting, running = Path(name), list(cases), []
        (base / "bin").mkdir()
        command = base / "bin/rdskd-lab"
        command.write_text(
            f"#!{sys.executable}\nfrom rdskd_lab.cli import main\n\nif __name__ == '__main__':\n    main()\n"
        )
        command.chmod(0o755)
        python = base / "bin/python"  # a link would lose the environment
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(Trial(waiting.pop(0), base, patience))
            time.sleep(0.05)
            for trial in list(running):
                if row := trial.poll():
                    running.remove(trial)
                    keep(row)


def read(label: str) -> dict[str, dict]:
    path = RESULTS / f"what_people_bring_{label}.csv"
    return {row["id"]: row for row in csv.DictReader(path.open(encoding="utf-8"))} if path.exists() else {}


def write(label: str, rows: dict[str, dict]) -> None:
    """Judge all rows by the catalogue as it is now, and store them."""
    for id in CASES.keys() & rows.keys():
        case, row = CASES[id], rows[id]
        row |= {"kind": case.kind, "handed": case.handed, "what": case.what, "expected": case.expect}
        row["verdict"] = verdict(case, row, rows.get("teacher-trained"))
    with open(RESULTS / f"what_people_bring_{label}.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows[id] for id in CASES if id in rows)


def page() -> str:
    """The readable table, from all tables that there are."""
    tables = {label: rows for label in ("before", "after") if (rows := read(label))}
    handed = {case.id for case in CASES.values() if case.handed}
    lines = [
        "# What people bring, and what is printed then",
        "",
        f"Written by `python benchmarks/what_people_bring/run.py`, which tries each of {len(CASES)} inputs (the list, "
        "and what would be right: `benchmarks/what_people_bring/cases.py`) in a fresh folder, here called DIR, and in "
        f"a process of its own. {len(handed)} of them were made after the 21 handed inputs. Progress lines and the "
        "warning of a collapsed generator (these runs are far too short for a good one) are left out. The rows of "
        "*after* come from several commits, since they were run while faults were being fixed: a row may be older than "
        "the last fixes. Inputs without a row of *after* were not run again.",
        "",
    ]
    for label, rows in tables.items():
        counts = Counter(row["verdict"] for row in rows.values())
        happened = Counter(row["outcome"] for row in rows.values())
        half = sum(bool(row["left"]) for row in rows.values() if row["outcome"] in ("refused", "traceback", "no word"))
        lines += [
            f"## {label.capitalize()}: {counts['right']} of {len(rows)} as they should be",
            "",
            "What happened: " + ", ".join(f"{n} {name}" for name, n in happened.most_common()) + f". {half} that were "
            "refused or ended in a traceback left files behind.",
            "",
            "| verdict | inputs | it means |",
            "|---|--:|---|",
            *(f"| {name} | {counts[name]} | {says} |" for name, says in VERDICTS.items() if counts[name]),
            "",
            "| kind | inputs | right | " + " | ".join(list(VERDICTS)[1:-1]) + " |",
            "|---|--:|--:|" + "--:|" * (len(VERDICTS) - 2),
        ]
        for kind in dict.fromkeys(case.kind for case in CASES.values()):
            of = Counter(row["verdict"] for row in rows.values() if row["kind"] == kind)
            cells = [str(of[name] or "") for name in list(VERDICTS)[:-1]]
            lines.append(f"| {kind} | {sum(of.values())} | {' | '.join(cells)} |")
        lines.append("")
        if label == "after":
            wrong = [row for row in rows.values() if row["verdict"] != "right"]
            lines += ["### Still wrong", ""] if wrong else ["Nothing is left that is not as it should be.", ""]
            lines += [
                f"* `{row['id']}` ({row['verdict']}): {row['what']} {WHY.get(row['id'], '')}".strip() for row in wrong
            ]
            lines += [""] * bool(wrong)
    if TIMES.exists():
        lines += ["## What the check of both networks costs", "", "| networks | reach, s | by the clock, s | of the "]
        lines[-1] += "process, s |"
        lines += ["|---|--:|--:|--:|"]
        with open(TIMES, encoding="utf-8") as file:
            for row in csv.DictReader(file):
                lines.append(f"| {row['networks']} | {row['reach']} | {row['clock']} | {row['process']} |")
        lines += ["", f"{TIMED}", ""]
    for kind in dict.fromkeys(case.kind for case in CASES.values()):
        columns = [cell for label in tables for cell in (f"printed {label}", "verdict")]
        lines += [f"## {kind.capitalize()}", "", f"| input | expected | {' | '.join(columns)} |"]
        lines += ["|---|---|" + "---|" * len(columns)]
        for case in CASES.values():
            if case.kind != kind or not any(case.id in rows for rows in tables.values()):
                continue
            cells = [f"`{case.id}` {case.what}" + (f" (handed {case.handed})" if case.handed else ""), case.expect]
            for rows in tables.values():
                row = rows.get(case.id)
                accuracy = (
                    f" [student {float(row['accuracy']):.1%}]" if row and row["accuracy"] and case.measured else ""
                )
                cells += [row["printed"] + accuracy, row["verdict"]] if row else ["not run", ""]
            lines.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("ids", nargs="*", help="beginnings of IDs; none: all")
    words.add_argument("--rest", action="store_true", help="only inputs that have no row yet")
    words.add_argument("--label", default="before", help="before or after")
    words.add_argument("--jobs", type=int, default=1)
    words.add_argument("--patience", type=float, default=1.0, help="times the time limits, on a busy machine")
    words.add_argument("--judge", action="store_true", help="run nothing, judge what was recorded anew")
    words.add_argument("--list", action="store_true", help="only list the inputs")
    asked = words.parse_args()
    chosen = [case for id, case in CASES.items() if not asked.ids or id.startswith(tuple(asked.ids))]
    if asked.list:
        for case in chosen:
            print(f"{case.id:45} {case.expect:18} {case.what}\n    {case.run}")
        return
    missing = {case.needs for case in chosen if case.needs and not importlib.util.find_spec(case.needs)}
    if missing:
        print(f"left out, since {', '.join(sorted(missing))} is not installed here")
    chosen = [case for case in chosen if case.needs not in missing]
    rows = read(asked.label)
    if asked.rest or asked.judge:
        chosen = [case for case in chosen if case.id not in rows and not asked.judge]

    def keep(row: dict) -> None:
        rows[row["id"]] = row
        write(asked.label, rows)
        print(f"{row['verdict']:15} {row['seconds']:>6} s  {row['id']:45} {row['printed'][:150]}", flush=True)

    try_all(chosen, asked.jobs, asked.patience, keep)
    write(asked.label, rows)
    (RESULTS / "what_people_bring.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
