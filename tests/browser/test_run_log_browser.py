"""Slow motion and the log of tries in a real JupyterLab: every control is pressed, and the kernel asked what it did."""

import re

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")

from jupyter import LAB, PLAYING, Page, violations, wait_for  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AT = "(lab.slow_motion.rehearsal and lab.slow_motion.at, lab.experiment.done)"
PATIENCE = 60  # s; a browser test may share the machine


@pytest.fixture
def page(notebook):
    made = notebook([LAB])
    made.run()
    made.shown(PATIENCE)
    return made


def steps(page: Page, n: int, done: int) -> None:
    page.ask(f"lab.play({n})")
    wait_for(lambda: page.ask(PLAYING) == (False, done), PATIENCE)


def test_every_control_of_slow_motion(page):
    steps(page, 1, 1)
    page.more("stage")
    for at in range(9):
        if at:
            page.key("stage-next").click()
        wait_for(lambda at=at: page.ask(AT) == (at, 1), PATIENCE)
    page.view.locator(".stage h4", has_text="gradients").wait_for(timeout=1000 * PATIENCE)
    page.key("stage-back").click()
    wait_for(lambda: page.ask(AT) == (7, 1), PATIENCE)
    for at in 8, 9:
        page.key("stage-next").click()
        wait_for(lambda at=at: page.ask("lab.slow_motion.at") == at, PATIENCE)
    wait_for(lambda: page.ask(AT) == (9, 2), PATIENCE)  # with the last stage the step is made
    bare = "[s.raw['oh'] for s in __import__('itertools').islice(type(lab.experiment)().steps(), 2)]"
    assert page.ask(bare) == page.ask("lab.record.column('oh').tolist()")
    page.view.locator(".stage li[aria-current=step]", has_text=re.compile("^step$")).wait_for(timeout=1000 * PATIENCE)
    page.view.locator(".stage mark").first.wait_for(timeout=1000 * PATIENCE)
    page.key("stage-next").click()
    wait_for(lambda: page.ask(AT) == (0, 2), PATIENCE)
    live = page.view.locator(".jp-OutputArea [aria-live=polite]")
    wait_for(lambda: live.first.inner_text() == "stage 1 of 10: latents", PATIENCE)
    page.key("stage-close").click()
    wait_for(lambda: page.view.locator(".stage").count() == 0, PATIENCE)
    assert page.ask("lab.slow_motion.rehearsal is None") and page.errors == []


def test_every_control_of_the_log_of_tries(page):
    assert page.view.locator(".tries").filter(visible=True).count() == 0  # nothing was tried yet
    steps(page, 10, 10)
    page.switch("ie.on", False)
    wait_for(lambda: page.ask("lab.experiment.objective['ie'].on") is False, PATIENCE)
    steps(page, 1, 11)
    first = page.ask("(lab.record.column('ds').tolist(), lab.recipe().edits[0].step)")
    page.key("reset").click()
    wait_for(lambda: page.ask("lab.experiment.done") == 0, PATIENCE)
    steps(page, 1, 1)
    assert page.ask("[(t.number, t.steps) for t in lab.run_log.all()]") == [(2, 1), (1, 11)]
    page.more("tries")
    rows = page.view.locator(".tries tbody th")
    wait_for(lambda: rows.all_inner_texts() == ["2 (now)", "1"], PATIENCE)
    page.control("sort tries by").select_option("steps")
    wait_for(lambda: rows.all_inner_texts() == ["1", "2 (now)"], PATIENCE)
    assert page.ask("lab.run_log.order.value") == "steps"
    page.control("try").select_option(index=1)
    wait_for(lambda: page.ask("lab.run_log.which.value") == 1, PATIENCE)
    page.press("Open this try")
    wait_for(lambda: page.ask("(lab.experiment.done, len(lab.plan))") == (0, 1), PATIENCE)
    page.key("more").click()
    ie = page.key("ie.on")
    wait_for(ie.is_checked, PATIENCE)
    steps(page, 10, 10)
    wait_for(lambda: not ie.is_checked(), PATIENCE)
    steps(page, 1, 11)
    assert page.ask("(lab.record.column('ds').tolist(), lab.recipe().edits[0].step)") == first
    assert page.errors == []


def test_axe_finds_nothing_serious_in_stages_and_tries(page):
    steps(page, 1, 1)
    page.ask("lab.act({'do': 'next_seed'})")
    wait_for(lambda: page.ask("lab.experiment.seed") == 1, PATIENCE)
    steps(page, 1, 1)
    page.more("stage")
    for at in range(10):
        if at:
            page.key("stage-next").click()
        wait_for(lambda at=at: page.ask("lab.slow_motion.at") == at, PATIENCE)
        if at in (2, 3, 4, 7, 9):
            page.view.locator(f".stage h4:has-text('stage {at + 1} of')").wait_for(timeout=1000 * PATIENCE)
            assert violations(page) == []
