"""Take the pictures of the lab in README and docs: real states of one run, drawn by the lab's own screen in Chromium.

    python tools/lab_pictures.py                      # some minutes on two cores: results/lab*.png, fork.png, lab.gif
    python tools/lab_pictures.py damping              # some of the pictures alone

No kernel is needed, so the pictures do not depend on how fast the machine is.  The run is RDSKD with seed 0: class
diversity is switched off at step 160 and on again at step 300; then the same seed with damping strength 1 and 20.
"""

import io
import os
import sys
from importlib.resources import files
from pathlib import Path

import torch
from PIL import Image
from playwright.sync_api import sync_playwright

from rdskd_lab.lab import Lab

RESULTS = Path(__file__).parents[1] / "results"
WIDE, HIGH = 1008, 780
EVERY = 10  # steps between two frames of the film
PAGE = """<!doctype html><html lang=en><meta charset=utf-8>
<body style="margin:8px;background:#fff" data-jp-theme-light="true"><style>{css}</style><div id=lab></div>"""

LOAD = """text => import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })))
  .then((module) => { window.draw = module.draw; })"""
DRAW = "state => draw(document.querySelector('#lab'), state)"


class Camera:
    """A page that draws states and takes pictures of them."""

    def __init__(self, browser):
        self.view = browser.new_page(viewport={"width": WIDE + 16, "height": HIGH}, device_scale_factor=1.5)
        widgets = files("rdskd_lab.lab.widgets")
        texts = {kind: (widgets / f"screen.{kind}").read_text("utf-8") for kind in ("js", "css")}
        self.view.set_content(PAGE.format(css=texts["css"]))
        self.view.evaluate(LOAD, texts["js"])

    def take(self, state: dict, *, playing: bool = True) -> Image.Image:
        """Draw a state; `playing`: as it looks while it plays."""
        state["live"]["playing"] = playing
        if playing:
            state["live"]["reason"] = "Training."  # not "Paused.", where a script counts its steps
        self.view.evaluate(DRAW, state)
        self.view.wait_for_timeout(400)  # images are decoded, and what glides has arrived
        return Image.open(io.BytesIO(self.view.screenshot(full_page=True))).convert("RGB")


def film(frames: list[tuple[Image.Image, int]], path: Path) -> None:
    """Write (picture, milliseconds) as a GIF of one palette."""
    small = [frame.resize((720, round(720 * frame.height / frame.width)), Image.LANCZOS) for frame, _ in frames]
    several = small[:: len(small) // 4 or 1]
    every = Image.new("RGB", (small[0].width, sum(frame.height for frame in several)))
    for k, frame in enumerate(several):
        every.paste(frame, (0, k * small[0].height))
    palette = every.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    pictures = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[rest for _, rest in frames], loop=0, optimize=True
    )


def story(browser) -> None:
    """Class diversity off and on again: the film, the pictures before, while and after it is off, and the fork."""
    camera, lab, frames = Camera(browser), Lab(mode="inline", steps=EVERY), []

    def until(step: int) -> None:
        while lab.experiment.done < step:
            lab.play(EVERY)
            frames.append((camera.take(lab.state()), 120))

    frames.append((camera.take(lab.state(), playing=False), 1200))
    until(160)
    lab.edit("ie", "on", False)
    until(300)
    frames[-1] = frames[-1][0], 1500
    camera.take(lab.state()).save(RESULTS / "lab-collapsed.png", optimize=True)
    lab.act({"do": "side_by_side"})
    fork = lab.inner
    shown = browser.new_page(viewport={"width": WIDE + 16, "height": HIGH}, device_scale_factor=1.5)
    body = '<body style="margin:8px;background:#fff;font-family:sans-serif" data-jp-theme-light="true">'
    shown.set_content(f"{body}{fork.style.value}{fork.status.value}{fork.pictures.value}")
    shown.screenshot(path=RESULTS / "fork.png", full_page=True)
    lab.player.ask(lab.shut)
    lab.edit("ie", "on", True)
    until(420)
    frames[-1] = frames[-1][0], 2500
    camera.take(lab.state()).save(RESULTS / "lab.png", optimize=True)
    film(frames, RESULTS / "lab.gif")
    lab.close()


def damping(browser) -> None:
    """Strength 1 and 20 with the anchor `previous`, each beside a twin without damping."""
    camera = Camera(browser)
    for strength in 1, 20:
        lab = Lab(mode="inline", steps=200)
        lab.compare(False)  # no twin without these edits
        for term in "oh", "ie":
            lab.edit(term, "rule", "previous")
        lab.strength(strength)
        lab.compare()
        lab.play(200)
        camera.take(lab.state()).save(RESULTS / f"lab-damping-{strength}.png", optimize=True)
        lab.close()


def main() -> None:
    parts = {part.__name__: part for part in (story, damping)}
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in sys.argv[1:] or parts:
            parts[name](browser)
        browser.close()


if __name__ == "__main__":
    main()
