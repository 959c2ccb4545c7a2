"""After set-up no network is needed: demo, doctor and lab run in a process that may open no connection.

Notebooks do so too: `make test` and `make test-all` compare their outputs in the kernel `offline`, behind the same wall.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
KERNELS = TOP / "tests" / "kernels"
WALL = "import socket, sys; from kernel import refuse; sys.addaudithook(refuse)\n"
ATTEMPTS = (
    "socket.create_connection(('127.0.0.1', 9))",
    "socket.getaddrinfo('localhost', 80)",
    "import urllib.request as u; u.urlopen('http://localhost')",
)
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


def walled(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Run code in a process of its own that can open no connection, with an empty home."""
    path = os.pathsep.join(filter(None, [str(TOP), str(KERNELS / "offline"), os.environ.get("PYTHONPATH", "")]))
    env = os.environ | {"HOME": str(folder), "PYTHONPATH": path, "RDSKD_LAB_MODE": "inline", "OMP_NUM_THREADS": "1"}
    env.pop("RDSKD_DATA", None)
    command = [sys.executable, "-c", WALL + code]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100)


def test_the_wall_holds(tmp_path):
    for attempt in ATTEMPTS:
        done = walled(attempt, tmp_path)
        assert done.returncode == 1 and "no network here" in done.stderr, attempt


def test_the_wall_holds_in_the_notebooks_kernel(tmp_path, monkeypatch):
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    monkeypatch.setenv("JUPYTER_PATH", str(KERNELS.parent))
    monkeypatch.setenv("RDSKD_DATA", str(tmp_path))
    asked = "import os; (os.environ['RDSKD_LAB_MODE'], 'RDSKD_DATA' in os.environ)"
    book = new_notebook(cells=[new_code_cell(text) for text in ("import socket", *ATTEMPTS, asked)])
    NotebookClient(book, timeout=60, kernel_name="offline", allow_errors=True).execute()
    refused = [cell.outputs[0]["evalue"] for cell in book.cells[1:-1]]
    assert all("no network here" in said for said in refused) and len(refused) == len(ATTEMPTS)
    assert book.cells[-1].outputs[0]["data"]["text/plain"] == "('inline', False)"


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
