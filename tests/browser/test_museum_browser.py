"""The failure museum in a real JupyterLab: every control is pressed, and no training is begun.

One test runs in `make test-all`; how soon the first picture stands is measured by hand: pytest -s -m measure.
"""

import time

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")

from jupyter import Page, violations, wait_for  # noqa: E402

from rdskd_lab.lab.widgets.museum import EXHIBITS  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Whatever trains asks for an Experiment first; here it is an error to ask.
IMPORTS = "import rdskd_lab.lab\nrdskd_lab.lab.session.experiment.Experiment.__init__ = None"
CELL = "from rdskd_lab.lab import Museum\nmuseum = Museum()\nmuseum"


@pytest.fixture
def page(notebook):
    made = notebook([IMPORTS, CELL])
    made.run(0)
    wait_for(lambda: made.ask("'rdskd_lab.lab' in __import__('sys').modules"), 120)
    made.before, start = made.bytes, time.monotonic()
    made.run(1)
    made.shown(60)
    made.first = time.monotonic() - start
    return made


def shown(page: Page) -> str:
    return page.view.locator(".jp-OutputArea .rdskd-box").first.inner_text()


def test_every_control_of_the_museum(page):
    assert page.bytes - page.before < 6e6
    assert EXHIBITS["healthy"].question in shown(page)
    wait_for(lambda: page.ask("museum.liveness.seen is not None"))
    assert violations(page) == []
    page.control("exhibit").select_option(EXHIBITS["collapse"].title)
    wait_for(lambda: page.ask("len(museum.trace)") == 400)
    wait_for(lambda: "At step 80 the information entropy loss is switched off" in shown(page))
    assert "Cure" not in shown(page)
    page.key("rate").fill("2000")
    page.view.keyboard.press("Enter")
    wait_for(lambda: page.ask("museum.rate") == 2000)
    page.key("play").click()
    wait_for(lambda: page.ask("(museum.player.playing, museum.step)") == (False, 400), 60)
    wait_for(lambda: page.status().startswith("Step 400"))
    page.key("back").click()
    wait_for(lambda: page.ask("museum.step") == 399)
    page.key("step").click()
    wait_for(lambda: page.ask("museum.step") == 400)
    page.key("scrubber").focus()
    page.view.keyboard.press("Home")
    wait_for(lambda: page.key("scrubber").input_value() == "0" and page.status().startswith("Step 0"))  # the screen too
    page.view.keyboard.press("End")
    wait_for(lambda: page.ask("museum.step") == 400)
    page.key("rate").fill("10")
    page.view.keyboard.press("Enter")
    page.key("backwards").click()
    wait_for(lambda: page.ask("museum.step") < 400)
    page.key("play").click()
    wait_for(lambda: not page.ask("museum.player.playing"))
    page.press("Reveal the cure")
    wait_for(lambda: EXHIBITS["collapse"].cure in shown(page))
    assert violations(page) == []
    hung = {exhibit.beside for exhibit in EXHIBITS.values()}
    for key, exhibit in EXHIBITS.items():
        if key in hung:
            continue
        page.control("exhibit").select_option(exhibit.title)
        wait_for(lambda key=key: page.ask("museum.choice.value") == key)
        wait_for(lambda exhibit=exhibit: exhibit.question in shown(page))
    page.key("continue").click()  # it would train: here it cannot, and says so
    wait_for(lambda: page.ask("museum.player.reason").startswith("Stopped."))
    assert page.ask("type(museum.player).__name__") == "Player" and page.ask("museum.lab is None")
    assert page.errors == []


@pytest.mark.measure
def test_the_first_picture_stands_within_two_seconds(page):
    print(f"\nfirst picture {page.first:.2f} s after the cell was run")
    assert page.first <= 2
