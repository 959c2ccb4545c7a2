"""The list of jobs for a GPU: done once, cut in time, and a failure is said."""

import sys
from pathlib import Path

import gpu
import pytest

FAILS = "print('FAILED tests/a.py::b - no'); print('1 failed, 3 passed in 1s'); raise SystemExit(1)"


@pytest.fixture
def listed(monkeypatch):
    """Put four jobs of a second in the place of the list; one counts how often it was begun."""

    def jobs(out: Path, tiny: bool):
        count = f"open({str(out / 'begun')!r}, 'a').write('x'); print('counted')"
        command = lambda text: [sys.executable, "-c", text]  # noqa: E731
        return [
            gpu.Job("tests", 1, command(FAILS), gpu.tests),
            gpu.Job("broken", 1, command("raise SystemExit('no such card')"), gpu.last_lines),
            gpu.Job("long", 1, command("import time; print('so far', flush=True); time.sleep(60)"), gpu.last_lines),
            gpu.Job("count", 1, command(count), gpu.last_lines),
            gpu.Job("after", 1, command("print('after')"), gpu.last_lines, after="broken"),
        ]

    monkeypatch.setattr(gpu, "jobs", jobs)


def test_jobs_are_done_once_and_cut_in_time(listed, monkeypatch, tmp_path):
    do = gpu.do
    monkeypatch.setattr(gpu, "do", lambda job, out, log, most: do(job, out, log, 3 if job.name == "long" else most))
    for _ in range(2):
        gpu.main(["--tiny", "--out", str(tmp_path)])
    found = gpu.rows(tmp_path / "gpu_log.csv")
    ended = [(r["job"], r["ended"]) for r in found]
    first = [("tests", "done"), ("broken", "failed"), ("long", "cut"), ("count", "done")]
    assert ended == [*first, ("broken", "failed"), ("long", "cut")]  # the second time: what is not done yet
    assert (tmp_path / "begun").read_text() == "x"
    said = {r["job"]: r["found"] for r in found}
    assert said["tests"] == "1 failed, 3 passed in 1s tests/a.py::b" and "no such card" in said["broken"]
    assert "so far" in (tmp_path / "long.log").read_text()


def test_what_does_not_fit_is_not_begun(listed, tmp_path, capsys):
    gpu.main(["--tiny", "--out", str(tmp_path), "--minutes", "0.05"])
    assert not gpu.rows(tmp_path / "gpu_log.csv") and "tests: not begun" in capsys.readouterr().out


def test_the_list_names_jobs_once_and_files_that_exist(tmp_path):
    for tiny in (True, False):
        jobs = gpu.jobs(tmp_path, tiny)
        names = [job.name for job in jobs]
        assert len(set(names)) == len(names) and {job.after for job in jobs} <= {"", *names}
        scripts = [word for job in jobs for word in job.command if word.startswith("benchmarks/")]
        assert scripts and all((gpu.TOP / script).is_file() for script in scripts)
    assert [name for name in names if name.startswith("paper")] == [f"paper-mnist-{seed}" for seed in range(3)]
