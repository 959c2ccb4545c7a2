"""After set-up no network is needed: demo, doctor, lab and notebooks run in a process that may open no connection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
WALL = """
import socket, sys

def refuse(event, args):
    if event == "socket.getaddrinfo" or event == "socket.__new__" and args[1] in (socket.AF_INET, socket.AF_INET6):
        raise OSError(f"no network here: {event}")

sys.addaudithook(refuse)
"""
DEMO = """
from rdskd_lab.__main__ import main
tiny = "generator_steps=6 student_steps=8 batch_size=16 width=4 student_batch_size=16".split()
main(["distill", "--method", "rdskd", "--data", "digits", "--out", "demo", *(word for t in tiny for word in ("--set", t))])
main(["evaluate", "demo"])
main(["doctor"])
"""
LAB = """
from rdskd_lab.lab import Lab
from rdskd_lab import Settings
lab = Lab(mode="inline", settings=Settings(batch_size=8, width=4, student_batch_size=8), steps=3)
lab.edit("ie", "on", False)
lab.play()
print("steps:", lab.experiment.done)
lab.close()
"""
NOTEBOOK = """
import ast, asyncio, inspect
path = sys.argv[1]
code = compile(open(path, encoding="utf-8").read(), path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
left = eval(code, {"__name__": "__main__"})
if inspect.iscoroutine(left):
    asyncio.run(left)
"""


def walled(code: str, folder: Path, *words) -> subprocess.CompletedProcess:
    """Run code in a process of its own that can open no connection, with an empty home."""
    path = os.pathsep.join(filter(None, [str(TOP), os.environ.get("PYTHONPATH", "")]))
    env = os.environ | {"HOME": str(folder), "PYTHONPATH": path, "RDSKD_LAB_MODE": "inline", "OMP_NUM_THREADS": "1"}
    env.pop("RDSKD_DATA", None)
    command = [sys.executable, "-c", WALL + code, *map(str, words)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("attempt", ["socket.create_connection(('127.0.0.1', 9))", "socket.getaddrinfo('localhost', 80)",
                                     "import urllib.request as u; u.urlopen('http://localhost')"])  # fmt: skip
def test_the_wall_holds(attempt, tmp_path):
    done = walled(attempt, tmp_path)
    assert done.returncode == 1 and "no network here" in done.stderr


def test_the_demo_and_the_doctor_run_offline(tmp_path):
    done = walled(DEMO, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 1,000 real images" in done.stdout and "rdskd-lab doctor:" in done.stdout
    assert (tmp_path / "demo" / "report.html").stat().st_size > 1e5


def test_the_lab_trains_offline(tmp_path):
    pytest.importorskip("anywidget")
    done = walled(LAB, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "steps: 3"


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted((TOP / "notebooks").glob("[0-9][0-9]_*.py")), ids=lambda path: path.stem)
def test_every_notebook_runs_offline(source, tmp_path):
    done = walled(NOTEBOOK, tmp_path, source)
    assert done.returncode == 0, done.stderr
