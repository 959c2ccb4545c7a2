"""Run the lab's tests with other versions of what a notebook is made of: `python tests/overlay.py [NAME ...]`.

An overlay is a folder of the packages that differ, put in front of this environment's own; torch is not installed
twice.  `ipykernel-*` repeat the lab's browser tests that assert the training's state, since each of these kernels runs
a control's callback elsewhere, and each test ends by asking which threads trained; `colab` runs the package's tests
without a browser, the lab in chunk and inline mode among them, on what Colab has; `colab-notebooks` runs every
notebook there.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Every browser test of the lab that asserts what was trained; left out are those about looks, files and memory, and
# what is timed by hand.
BROWSER = ["tests/test_lab_browser.py", "tests/test_replay_browser.py", "-m", "browser and not measure",
           "-k", "not axe and not saved and not leak and not Dark"]  # fmt: skip
FLOOR = ["tests", "-m", "not browser and not slow", "--ignore=tests/test_frame.py"]  # that one is about our pins
LESSONS = ["tests/test_offline.py", "-k", "every_notebook"]  # each notebook as a script, its lab inline
COLAB = ["ipykernel==6.17.1", "nest-asyncio==1.6.0", "ipywidgets==7.7.1", "ipython-genutils==0.2.0",
         "widgetsnbextension==3.6.10", "plotly==5.24.1", "tenacity==9.1.2", "anywidget==0.9.21"]  # fmt: skip
OVERLAYS = {
    "ipykernel-7.3": (["ipykernel==7.3.0"], BROWSER),
    "ipykernel-6.31": (["ipykernel==6.31.0", "nest-asyncio==1.6.0"], BROWSER),
    "colab": (COLAB, FLOOR),
    "colab-notebooks": (COLAB, LESSONS),
}


def install(packages: list[str], folder: Path) -> None:
    """Put just these packages, without what they need, into a folder."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--target", folder, *packages], check=True)


def run(name: str, folder: Path) -> int:
    """Install an overlay and run its tests under it; pytest's exit status."""
    packages, tests = OVERLAYS[name]
    install(packages, folder)
    path = os.pathsep.join(filter(None, [str(folder), str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    env = os.environ | {"PYTHONPATH": path, "RDSKD_LAB_OVERLAY": str(folder), "OMP_NUM_THREADS": "1"}
    print(f"{name}: {', '.join(packages)}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=HERE.parent, env=env).returncode


def main(names: list[str]) -> int:
    unknown = set(names) - set(OVERLAYS)
    if unknown:
        raise SystemExit(f"no overlay {', '.join(sorted(unknown))}; there are {', '.join(OVERLAYS)}")
    with tempfile.TemporaryDirectory() as folder:
        failed = [name for name in names or OVERLAYS if run(name, Path(folder) / name)]
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
