"""Take the picture of the page in docs: site/index.html on a phone and on a large screen.

make site && python tools/page_picture.py        # writes results/page.png
"""

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TOP = Path(__file__).resolve().parents[1]
STORY = """() => {
  const at = (key) => document.querySelector(`[data-key="${key}"]`);
  const go = (step) => { at('scrubber').value = step; at('scrubber').dispatchEvent(new Event('input')); };
  go(150);
  at('ie.on').click();
  go(290);
}"""


def main() -> None:
    """Class diversity off at step 150, seen at step 290: light on a large screen, dark on a phone."""
    shots = []
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for wide, high, scheme in (1280, 860, "light"), (390, 860, "dark"):
            view = browser.new_page(
                viewport={"width": wide, "height": high}, color_scheme=scheme, device_scale_factor=1.25
            )
            view.goto((TOP / "site" / "index.html").as_uri())
            view.evaluate(STORY)
            view.wait_for_timeout(600)
            shots.append(Image.open(io.BytesIO(view.screenshot())).convert("RGB"))
        browser.close()
    both = Image.new("RGB", (sum(shot.width for shot in shots) + 20, shots[0].height), "#999")
    both.paste(shots[0], (0, 0))
    both.paste(shots[1], (shots[0].width + 20, 0))
    both.quantize(256, dither=Image.Dither.NONE).save(TOP / "results" / "page.png", optimize=True)


if __name__ == "__main__":
    main()
