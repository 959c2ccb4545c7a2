"""A real JupyterLab with a real Chromium, for the tests in `browser/`, whose conftest.py makes fixtures of them.

`notebook(cells)` opens a notebook and gives a `Page`: it runs cells, presses what a learner presses, counts what
travels over the websocket, and asks the kernel itself, over its own channel, for the state of the training.

RDSKD_LAB_OVERLAY=FOLDER puts packages of other versions in front of those of this environment (see `overlay.py`).
"""

import ast
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import nbformat
import pytest
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
NEWS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
SAVING = "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings"
LAB = "from rdskd_lab.lab import Lab\nlab = Lab()\nlab"
PLAYING = "(lab.player.playing, lab.experiment.done)"


class Server:
    """A Jupyter server in a folder of its own."""

    def __init__(self, home: Path):
        self.home, self.port = home, _free_port()
        self.runtime = home / "runtime"
        front = [os.environ.get("RDSKD_LAB_OVERLAY", ""), str(ROOT), os.environ.get("PYTHONPATH", "")]
        env = os.environ | {
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "PYTHONPATH": os.pathsep.join(filter(None, front)),
            "IPYTHONDIR": str(home / "ipython"),
            "OMP_NUM_THREADS": "1",  # the browser needs the other core
        }
        env.pop("RDSKD_LAB_MODE", None)
        self.set(NEWS, fetchNews="false")
        self.set(SAVING, autosave=False)
        words = f"-m jupyterlab --no-browser --allow-root --expose-app-in-browser --port={self.port}"
        options = ["ip=127.0.0.1", "token=", "password=", "disable_check_xsrf=True", f"root_dir={home}"]
        self.log = open(home / "server.log", "w")
        self.process = subprocess.Popen(
            [sys.executable, *words.split(), *(f"--ServerApp.{option}" for option in options)],
            cwd=home,
            env=env,
            stdout=self.log,
            stderr=self.log,
        )
        for _ in range(480):
            if _answers(self.port):
                return
            time.sleep(0.25)
        self.stop()
        raise RuntimeError((home / "server.log").read_text())

    def set(self, plugin: str, **settings) -> None:
        """Write a front-end setting, as a user's settings editor would."""
        path = self.home / "settings" / plugin
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Page:
    """One notebook in the browser, and a line of its own to the kernel behind it."""

    def __init__(self, server: Server, browser, cells, zoom=1.0, width=1400, height=1100, whole=False):
        self.server = server
        if isinstance(cells, list):
            kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
            book = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
            book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        else:  # a notebook as it is
            book = cells
        self.path = server.home / f"{time.monotonic_ns()}.ipynb"
        nbformat.write(book, self.path)
        known = set(server.runtime.glob("kernel-*.json"))
        self.view = browser.new_page(
            viewport={"width": int(width / zoom), "height": int(height / zoom)}, device_scale_factor=zoom
        )
        self.errors, self.bytes = [], 0
        self.view.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.view.on("pageerror", lambda e: self.errors.append(str(e)))
        self.view.on("websocket", lambda ws: ws.on("framereceived", self._count))
        self.view.goto(
            f"http://127.0.0.1:{server.port}/{'lab' if whole else 'doc'}/tree/{self.path.name}?reset", timeout=120_000
        )
        self.view.wait_for_selector("#jupyterlab-splash", state="detached", timeout=120_000)
        self.view.wait_for_selector(".jp-Notebook .jp-Cell .cm-content:visible", timeout=120_000)
        self.view.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=120_000)
        self.connection = wait_for(lambda: next(iter(set(server.runtime.glob("kernel-*.json")) - known), None))
        self._client = None

    def run(self, cell: int = 0) -> None:
        """Run a cell and leave it running.  A first Shift+Enter before the kernel listens does nothing: try again."""
        prompt = f".jp-Notebook .jp-Cell >> nth={cell} >> .jp-InputPrompt"
        wait_for(lambda: self.view.inner_text(prompt).strip() != "[*]:", 60)  # or each try would queue one more run
        before = self.view.inner_text(prompt).strip()
        for _ in range(20):
            self.view.click(f".jp-Notebook .jp-Cell >> nth={cell} >> .cm-content")
            self.view.keyboard.press("Shift+Enter")
            for _ in range(10):
                if self.view.inner_text(prompt).strip() not in ("[ ]:", before):
                    return
                self.rest(0.1)
        raise RuntimeError(f"cell {cell} did not start")

    def shown(self, timeout: float = 60) -> None:
        """Wait until generated images are on the page."""
        self.view.wait_for_selector(".jp-OutputArea .sheet", timeout=1000 * timeout)

    def key(self, name: str):
        """A control of the screen by its key: "play", "ie.on", "strength"."""
        return self.view.locator(f".jp-OutputArea [data-key='{name}']").filter(visible=True).first

    def more(self, name: str) -> None:
        """Press a button of the screen that stands under More."""
        if not self.key(name).count():
            self.key("more").click()
        self.key(name).click()

    def switch(self, name: str, on: bool) -> None:
        """Turn a switch of the screen."""
        self.key(name).set_checked(on, force=True)

    def press(self, label: str) -> None:
        """Press a button of ipywidgets by the words on it."""
        self.view.locator(".jp-OutputArea button", has_text=label).filter(visible=True).get_by_text(
            label, exact=True
        ).first.click()

    def control(self, label: str):
        """A checkbox, number or list by its label."""
        return self.view.locator(".jp-OutputArea").get_by_label(label, exact=True).first

    def status(self) -> str:
        """The line above the pictures."""
        return self.view.locator(".jp-OutputArea .status").filter(visible=True).first.inner_text()

    def ask(self, expression: str):
        """The value of a literal-valued expression in the kernel, over a channel of its own, while training goes on."""
        if self._client is None:
            from jupyter_client import BlockingKernelClient

            self._client = BlockingKernelClient(connection_file=str(self.connection))
            self._client.load_connection_file()
            self._client.start_channels(hb=False)  # on a busy machine its heart seems to stop
            self._client.wait_for_ready(60)
        reply = self._client.execute(
            "", silent=True, store_history=False, user_expressions={"x": expression}, reply=True, timeout=60
        )
        answer = reply["content"]["user_expressions"]["x"]
        if answer["status"] != "ok":
            raise RuntimeError("\n".join(answer["traceback"]))
        return ast.literal_eval(answer["data"]["text/plain"])

    def close(self) -> None:
        """Close the page and end its kernel, which would keep its memory for as long as the server runs."""
        if self._client is not None:
            self._client.stop_channels()
        self.view.close()
        kernel = self.connection.stem.removeprefix("kernel-")
        url = f"http://127.0.0.1:{self.server.port}/api/kernels/{kernel}"
        with suppress(HTTPError):  # it is gone already
            urlopen(Request(url, method="DELETE"), timeout=30)

    def rest(self, seconds: float) -> None:
        """Wait while the page's events, and its traffic, are heard; they are not during `time.sleep`."""
        self.view.wait_for_timeout(1000 * seconds)

    def _count(self, payload) -> None:
        self.bytes += len(payload)


def slide(page: Page, name: str, place: int) -> None:
    """Put a slider of the screen at a place of 0 to 1000, as a pointer does."""
    events = "for (const kind of ['input', 'change']) bar.dispatchEvent(new Event(kind, { bubbles: true }));"
    page.key(name).evaluate(f"(bar, to) => {{ bar.value = to; {events} }}", place)


def violations(page: Page) -> list[str]:
    """Return serious and critical findings of axe-core in the lab's output, in a dark and in a light JupyterLab."""
    axe, found = pytest.importorskip("axe_playwright_python.sync_playwright"), []
    for theme in "JupyterLab Dark", "JupyterLab Light":
        page.view.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        page.view.wait_for_selector(f"body[data-jp-theme-name='{theme}']", state="attached")
        page.rest(0.5)
        said = axe.Axe().run(page.view, context=".rdskd-box").response["violations"]
        serious = [v for v in said if v["impact"] in ("serious", "critical")]
        found += [f"{theme}: {v['id']}: {v['nodes'][0]['html'][:120]}" for v in serious]
    return found


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
