"""Run tests of widgets and figures with other versions of what a notebook is made of: `python tests/overlay.py [NAME ...]`.

An overlay is a folder of the packages that differ, put in front of this environment's own; torch is not installed
twice.  `ipykernel-*` repeat the browser tests marked `front_end`, since each of these kernels runs a control's callback
elsewhere, and each test ends by asking which threads trained; `colab` runs, without a browser, the tests of what draws
or makes a widget on what Colab has, with labs in chunk and inline mode among them.  Nothing else is repeated.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
BROWSER = ["tests/browser", "-m", "front_end and not measure"]
WITHOUT = ["tests/lab/test_lab.py", "tests/lab/widgets", "tests/reporting", "tests/doctor", "-m", "not slow"]
COLAB = ["ipykernel==6.17.1", "nest-asyncio==1.6.0", "ipywidgets==7.7.1", "ipython-genutils==0.2.0"]
COLAB += ["widgetsnbextension==3.6.10", "plotly==5.24.1", "tenacity==9.1.2", "anywidget==0.9.21"]
OVERLAYS = {
    "colab": (COLAB, WITHOUT),
    "ipykernel-7.3": (["ipykernel==7.3.0"], BROWSER),
    "ipykernel-6.31": (["ipykernel==6.31.0", "nest-asyncio==1.6.0"], BROWSER),
}


def install(packages: list[str], folder: Path) -> None:
    """Put just these packages, without what they need, into a folder."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--target", folder, *packages], check=True)


def run(name: str, folder: Path) -> bool:
    """Install an overlay, run its tests under it and print what they said; whether all passed."""
    packages, tests = OVERLAYS[name]
    install(packages, folder)
    path = os.pathsep.join(filter(None, [str(folder), str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    env = os.environ | {"PYTHONPATH": path, "RDSKD_LAB_OVERLAY": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=HERE.parent, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(f"{name}: {', '.join(packages)}\n{done.stdout}", flush=True)
    return done.returncode == 0


def main(names: list[str]) -> int:
    """Run overlays, two at a time: a browser test waits more than it computes."""
    if unknown := set(names) - set(OVERLAYS):
        raise SystemExit(f"no overlay {', '.join(sorted(unknown))}; there are {', '.join(OVERLAYS)}")
    names = names or list(OVERLAYS)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(lambda name: run(name, Path(folder) / name), names))
    failed = [name for name, well in zip(names, passed, strict=True) if not well]
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
