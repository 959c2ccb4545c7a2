"""Replay and fork in a real JupyterLab: every control is pressed in the page, and the kernel is asked what it did.

On the way axe-core looks for what a screen reader or a keyboard cannot use.
"""

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")

from jupyter import Page, violations, wait_for  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.front_end]

SMALL = """
from rdskd_lab.lab import Lab, Replay
from rdskd_lab.methods.method import Settings
small = Settings(batch_size=8, width=4, latent=16, lr=1e-2, student_batch_size=8)
"""
REPLAY = f"""{SMALL}
made = Lab(mode="inline", settings=small, learn=False)
made.redraw.draw = lambda: None
made.trace.freeze = 20
made.play(30)
made.edit("ie", "on", False)
made.play(30)
replay = Replay(made.trace)
replay
"""
FORK = SMALL + "lab = Lab(settings=small)\nlab\n"


@pytest.fixture
def opened(notebook):
    """opened(cell) -> the page on which the cell was run."""

    def run(cell: str) -> Page:
        page = notebook([cell])
        page.run()
        page.shown(60)
        return page

    return run


def leaves(page: Page, label: str) -> None:
    """Press a button that ends the view it is in, and wait until the page shows it no more: its neighbours go too."""
    page.press(label)
    button = page.view.locator(".jp-OutputArea button", has_text=label).filter(visible=True)
    wait_for(lambda: button.count() == 0)


def go(page: Page, step: int) -> None:
    """Put the bar of a replay at a step, as a pointer does."""
    page.key("scrubber").evaluate(
        "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input')); bar.dispatchEvent(new Event('change')); }",
        step,
    )


def rate(page: Page, value: int) -> None:
    page.key("rate").fill(str(value))
    page.view.keyboard.press("Enter")


def is_(page: Page, expression: str, value, seconds: float = 20) -> None:
    """Wait until the kernel says so."""
    wait_for(lambda: page.ask(expression) == value, seconds)


def test_every_control_of_a_replay_does_what_it_says(opened):
    page = opened(REPLAY)
    assert page.ask("(replay.step, len(replay.trace), replay.player.playing)") == (0, 60, False)
    assert "nothing is trained" in page.status()
    rate(page, 5)
    is_(page, "replay.player.rest", 0.2)
    page.key("play").click()
    wait_for(lambda: page.ask("replay.step") >= 2)
    assert page.ask("(replay.player.playing, replay.direction)") == (True, 1)
    page.key("play").click()
    is_(page, "replay.player.playing", False)
    there = page.ask("replay.step")
    page.rest(1)
    assert page.ask("replay.step") == there < 60
    wait_for(lambda: page.status().startswith(f"Step {there}\n") or page.status().startswith(f"Step {there} "))
    go(page, 45)
    is_(page, "replay.step", 45)
    bar = page.key("scrubber")
    wait_for(lambda: bar.input_value() == "45")  # a key moves the bar from where the page shows it
    bar.focus()
    page.view.keyboard.press("ArrowLeft")
    is_(page, "replay.step", 44)
    place = bar.bounding_box()
    across = [place["x"] + place["width"] * part for part in (44 / 60, 0.6, 0.4, 0.25)]
    page.view.mouse.move(across[0], place["y"] + place["height"] / 2)
    page.view.mouse.down()
    for x in across[1:]:
        page.view.mouse.move(x, place["y"] + place["height"] / 2, steps=5)
        page.rest(0.3)
    page.view.mouse.up()
    wait_for(lambda: 13 <= page.ask("replay.step") <= 17)
    go(page, 45)
    is_(page, "replay.step", 45)
    wait_for(lambda: bar.input_value() == "45")
    page.key("step").click()
    is_(page, "replay.step", 46)
    page.key("back").click()
    is_(page, "replay.step", 45)
    wait_for(lambda: "images are those of step 40" in page.status())
    assert page.view.locator(".marks path").count() >= 1 and page.key("ie.on").is_disabled()
    page.rest(1)
    assert violations(page) == []
    live = page.view.locator(".jp-OutputArea [aria-live=polite]")
    wait_for(lambda: live.first.inner_text().startswith("step 40, one-hot loss"))
    rate(page, 1000)
    page.key("backwards").click()
    is_(page, "(replay.step, replay.player.reason)", (0, "This is the beginning."))
    assert page.ask("replay.lab is None and len(made.trace) == 60")
    wait_for(lambda: bar.input_value() == "0")

    go(page, 45)
    is_(page, "replay.step", 45)
    page.key("continue").click()
    is_(page, "replay.lab is not None and (replay.lab.experiment.done, replay.lab.player.playing)", (45, False), 60)
    wait_for(lambda: "5 of them trained anew from the checkpoint at step 40" in page.status())
    assert page.key("ie.on").is_checked() is False
    page.ask("replay.lab.play(10)")
    is_(page, "(replay.lab.experiment.done, replay.lab.player.playing)", (55, False))
    assert page.ask("replay.lab.record.column('oh').tolist() == made.record.column('oh').tolist()[:55]")

    page.more("look-back")
    is_(page, "replay.lab.inner is not None and replay.lab.inner.step", 55)
    wait_for(lambda: page.key("scrubber").count() == 1)
    go(page, 20)
    is_(page, "replay.lab.inner.step", 20)
    page.key("continue").click()
    is_(page, "replay.lab.inner is None and replay.lab.experiment.done", 20)
    wait_for(lambda: page.key("ie.on").count() == 1 and page.key("ie.on").is_checked())
    page.key("step").click()
    is_(page, "replay.lab.experiment.done", 21)
    assert page.ask("replay.lab.player.threads") == {"MainThread"} and page.errors == []


def fork_here(page: Page, term: str, field: str) -> None:
    if not page.key("fork").count():
        page.key("more").click()
    page.key("fork-term").select_option(term)
    page.key("fork-change").select_option(field)
    page.key("fork").click()


def test_every_control_of_a_fork_does_what_it_says(opened):
    page = opened(FORK)
    page.ask("lab.play(10)")
    is_(page, "(lab.experiment.done, lab.player.playing)", (10, False))
    fork_here(page, "ds", "weight")
    is_(page, "lab.inner is not None and [b.name for b in lab.inner.branches]", ["as it was", "ds x 10"], 60)
    done = "[b.experiment.done for b in lab.inner.branches]"
    page.press("Step")
    is_(page, done, [11, 11])
    page.press("Step x 10")
    is_(page, done, [21, 21])
    page.control("slow motion").check()
    is_(page, "lab.inner.player.slow", True)
    page.press("Play")
    wait_for(lambda: page.ask("lab.inner.player.pulled") >= 12)
    page.press("Pause")
    is_(page, "lab.inner.player.playing", False)
    a, b = page.ask(done)
    assert a == b and page.ask("lab.experiment.done") == 10
    wait_for(lambda: page.status().startswith(f"Step {a} "))
    page.rest(1)
    wait_for(lambda: page.view.locator(".jp-OutputArea .fork .sheet").count() == 2)
    wait_for(lambda: page.view.locator(".jp-OutputArea .fork svg[role=img]").count() == 10)
    assert violations(page) == []
    live, told = page.view.locator(".jp-OutputArea [aria-live=polite]"), f"step {a}, {a - 10} after the fork; as it was"
    wait_for(lambda: any(text.startswith(f"{told}: one-hot loss") for text in live.all_inner_texts()))
    oh = "lab.inner.branches[1].trace.record.column('oh').tolist()"
    before = page.ask(oh)
    leaves(page, "Keep the edit")
    is_(page, "lab.inner is None and (lab.experiment.done, lab.experiment.objective['ds'].weight)", (a, 10))
    assert page.ask("lab.record.column('oh').tolist()") == before
    wait_for(lambda: page.key("ds.weight").evaluate("e => e.nextSibling.textContent") == "10")

    fork_here(page, "oh", "strength")
    is_(page, "lab.inner is not None and lab.inner.branches[1].name", "oh damped x 20", 60)
    page.press("Step")
    is_(page, done, [a + 1, a + 1])
    leaves(page, "Keep as it was")
    is_(page, "lab.inner is None and (lab.experiment.done, lab.experiment.objective['oh'].strength)", (a + 1, 1.0))

    fork_here(page, "ds", "on")
    is_(page, "lab.inner is not None and lab.inner.branches[1].name", "ds off", 60)
    leaves(page, "Back to the lab")
    is_(page, "lab.inner is None and (lab.experiment.done, lab.experiment.objective['ds'].on)", (a + 1, True))
    page.key("step").click()
    is_(page, "lab.experiment.done", a + 2)
    assert page.ask("lab.player.threads") == {"MainThread"} and page.errors == []
