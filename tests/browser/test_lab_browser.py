"""The live lab in a real JupyterLab: every control is pressed in the page, and the kernel is asked what happened.

One quick test runs in `make test`; the others, marked slow, in `make test-all`, those marked front_end there also under
other ipykernels (`python tests/overlay.py`).  What is timed is measured by hand, on two cores that do nothing else: pytest -s -m measure.
"""

import json
import os
import random
import time

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")

from jupyter import LAB, PLAYING, Page, type_into, violations, wait_for  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]  # a busy machine draws slowly
slow = pytest.mark.slow
front_end = pytest.mark.front_end

IMPORTS = "import rdskd_lab.lab"


@pytest.fixture
def page(notebook):
    """A notebook whose second cell is a lab, run and shown."""
    made = notebook([IMPORTS, LAB])
    made.run(0)
    wait_for(lambda: made.ask("'rdskd_lab.lab' in __import__('sys').modules"), 60)
    made.before = made.bytes
    start = time.monotonic()
    made.run(1)
    made.shown()
    made.first = time.monotonic() - start
    made.rest(0.5)
    yield made
    if not made.view.locator(".rdskd-gone").count():  # its kernel was not restarted
        assert made.ask("sorted(lab.player.threads)") in ([], ["MainThread"]), "a callback trained in its own thread"


def say_paused(page: Page, timeout: float = 10) -> None:
    page.view.wait_for_function(
        "() => !document.querySelector('.status').innerText.includes('Training')", polling=20, timeout=1000 * timeout
    )


def term(page: Page, name: str, field: str):
    expression = f"lab.experiment.objective[{name!r}].{field}"
    return page.ask(f"{expression}.__name__" if field == "rule" else expression)


def test_a_learner_runs_the_cell_plays_switches_and_pauses(page):
    assert page.bytes - page.before < 6e6  # the first display, over the websocket
    page.press("Play")
    wait_for(lambda: page.ask("lab.experiment.done") >= 5, 30)
    assert page.ask("lab.player.threads") == {"MainThread"}
    page.control("ie: information entropy loss").uncheck()
    wait_for(lambda: term(page, "ie", "on") is False)
    page.press("Pause")
    wait_for(lambda: not page.ask("lab.player.playing"))
    say_paused(page)
    done = page.ask("lab.experiment.done")
    page.rest(0.5)
    assert page.ask(PLAYING) == (False, done)
    assert page.status().startswith(f"Step {done:,}")
    assert page.ask("[str(e) for e in lab.record.edits]") == ["ie off"]
    assert page.errors == []


@slow
@front_end
def test_every_control_does_in_the_training_what_it_says(page):
    page.press("Step")
    wait_for(lambda: page.ask("lab.experiment.done") == 1)
    page.press("Step x 10")
    wait_for(lambda: page.ask(PLAYING) == (False, 11))
    for name in "oh", "ie", "ds":
        label = page.ask(f"lab.term_controls.rows[{name!r}].on.description")
        was = term(page, name, "damped")
        page.control(label).uncheck()
        wait_for(lambda name=name: term(page, name, "on") is False)
        type_into(page, f"{name} weight", 2.5)
        wait_for(lambda name=name: term(page, name, "weight") == 2.5)
        page.control(f"{name} damped").set_checked(not was)
        wait_for(lambda name=name, was=was: term(page, name, "damped") is not was)
        page.control(f"{name} anchor").select_option("average")
        wait_for(lambda name=name: term(page, name, "rule") == "average")
    wait_for(lambda: "no weight and no buffer" in page.status())
    page.control("oh: one-hot loss").check()
    page.control("student learns along").check()
    wait_for(lambda: page.ask("lab.experiment.learning"))
    page.control("slow motion").check()
    wait_for(lambda: page.ask("lab.player.slow"))
    page.press("Play")
    page.rest(2.5)
    page.press("Pause")
    say_paused(page)
    assert 12 <= page.ask("lab.experiment.done") <= 18
    assert page.ask("len(lab.record.student['step'])") > 0
    page.control("slow motion").uncheck()
    page.press("Reset")
    wait_for(lambda: page.ask("(lab.experiment.done, lab.experiment.seed)") == (0, 0))
    page.press("New seed")
    wait_for(lambda: page.ask("(lab.experiment.done, lab.experiment.seed)") == (0, 1))
    assert (
        page.ask("[m for m in lab.method_choice.options]") == page.control("method").locator("option").all_inner_texts()
    )
    assert page.ask("lab.player.threads") == {"MainThread"}
    assert page.errors == []


@slow
def test_the_keyboard_reaches_and_works_every_control(page):
    page.view.locator(".jp-OutputArea button").first.focus()
    seen = []
    for _ in range(30):
        seen.append(
            page.view.evaluate("e => [document.activeElement.tagName, document.activeElement.innerText.trim()]")
        )
        page.view.keyboard.press("Tab")
    words = {text for tag, text in seen if tag == "BUTTON"}
    assert {"Play", "Pause", "Step", "Step x 10", "Reset", "New seed"} <= words
    assert sum(tag == "INPUT" for tag, _ in seen) >= 11 and sum(tag == "SELECT" for tag, _ in seen) >= 4
    page.view.locator(".jp-OutputArea button", has_text="Step x 10").focus()
    page.view.keyboard.press("Space")
    wait_for(lambda: page.ask(PLAYING) == (False, 10))
    page.rest(2.5)  # the card for the saved notebook is made now, and must not take the focus
    assert page.view.evaluate("() => document.activeElement.innerText.trim()") == "Step x 10"


@slow
def test_axe_finds_nothing_serious(page):
    page.control("ie: information entropy loss").uncheck()
    page.control("student learns along").check()
    page.press("Step x 10")
    wait_for(lambda: page.ask(PLAYING) == (False, 10), 20)
    page.rest(1)
    assert violations(page) == []
    live = page.view.locator(".jp-OutputArea [aria-live=polite]")
    wait_for(lambda: live.inner_text().startswith("step 10, one-hot loss"), 20)
    assert "of 10 classes" in live.inner_text()


@pytest.mark.measure
def test_the_numbers(page):
    """Speed beside the bare loop, time to obey, time to the first images, traffic."""
    bare = "__import__('rdskd_lab.lab.session.experiment').lab.session.experiment.Experiment().steps()"
    page.ask(f"[globals().update(bare={bare})]" + " and None")
    timed = "(lambda t, n, clock: ([next(bare) for _ in range(n)], n / (clock() - t))[1])(__import__('time').perf_counter(), {n}, __import__('time').perf_counter)"
    rates, shown = [], []
    page.ask(timed.format(n=20))
    for _ in range(3):
        rates.append(page.ask(timed.format(n=100)))
        page.press("Play")
        page.rest(1)
        clock = "__import__('time').perf_counter()"
        (a, s), before = page.ask(f"(lab.experiment.done, {clock})"), page.bytes
        page.rest(5)
        b, e = page.ask(f"(lab.experiment.done, {clock})")
        shown.append(((b - a) / (e - s), (page.bytes - before) / (e - s)))
        page.press("Pause")
        say_paused(page)
        page.rest(2)
    rates.append(page.ask(timed.format(n=100)))
    speed = sum(rate for rate, _ in shown) / 3 / (sum(rates) / len(rates))
    traffic = max(rate for _, rate in shown)
    delays = []
    page.press("Play")
    for i in range(50):
        page.rest(0.3)
        if i % 2:
            start = time.perf_counter()
            box = page.control("ds: diversity seeking loss")
            box.click()
            words = f"ds {'on' if i % 4 == 3 else 'off'}"
            wait_for(
                lambda words=words: page.ask("str(lab.record.edits[-1]) if lab.record.edits else ''") == words, 5, 0.01
            )
        else:
            page.rest(0.3)
            start = time.perf_counter()
            page.press("Pause")
            say_paused(page)
        delays.append(time.perf_counter() - start)
        if not i % 2:
            page.press("Play")
    page.press("Pause")
    delays.sort()
    print(
        f"\nspeed {speed:.1%} of the bare loop ({sum(rates) / len(rates):.1f} steps/s), first images {page.first:.2f} s, "
        f"traffic {traffic / 1e3:.0f} kB/s, obeys in {delays[25]:.2f} s (median), {delays[-1]:.2f} s (worst of 50)"
    )
    assert speed >= 0.9
    assert page.first <= 3
    assert traffic <= 150e3
    assert delays[25] <= 0.4 and delays[-1] <= 0.8


@slow
@front_end
def test_a_storm_of_presses(page):
    """Random actions at full speed, 300 or a minute long: nothing breaks, and the record replays bit for bit."""
    actions, seconds = (100, 20) if "RDSKD_LAB_OVERLAY" in os.environ else (300, 60)
    rng, end = random.Random(0), time.monotonic() + seconds
    page.press("Play")
    labels = [page.ask(f"lab.term_controls.rows[{n!r}].on.description") for n in ("oh", "ie", "ds")]

    def act(name):
        rng.choice(
            [
                lambda: page.control(rng.choice(labels)).click(),
                lambda: type_into(page, f"{name} weight", rng.choice([0, 0.5, 1, 2])),
                lambda: page.control(f"{name} damped").click(),
                lambda: page.control(f"{name} anchor").select_option(rng.choice(["epoch", "previous", "average"])),
                lambda: page.control("student learns along").click(),
                lambda: page.press("Pause"),
                lambda: page.press("Play"),
                lambda: page.press("Step"),
            ]
        )()

    done = 0
    while done < actions and time.monotonic() < end:
        done += 1
        act(rng.choice(["oh", "ie", "ds"]))
    page.press("Pause")
    wait_for(lambda: not page.ask("lab.player.playing"), 20)
    page.rest(1)
    assert not page.ask("lab.player.reason").startswith("Stopped.")
    assert page.status().startswith(f"Step {page.ask('lab.experiment.done'):,} ")  # the last state was sent
    for name, label in zip(("oh", "ie", "ds"), labels, strict=True):
        assert page.control(label).is_checked() == term(page, name, "on")
        assert float(page.control(f"{name} weight").input_value()) == term(page, name, "weight")
        assert page.control(f"{name} anchor").evaluate("e => e.selectedOptions[0].innerText") == term(
            page, name, "rule"
        )
    replayed = page.ask(
        "(lambda e, t, p: [(e.change(t.pop(0)) if t and t[0].step == i else None, "
        "[e.change(t.pop(0)) for _ in range(len(t)) if t[0].step == i], next(p).raw['oh'])[2] "
        "for i in range(len(lab.record))] == lab.record.column('oh').tolist())"
        "(*(lambda e: (e, list(lab.record.edits), e.steps()))(type(lab.experiment)()))"
    )
    print(f"\n{done} actions")
    assert replayed and page.errors == [] and done >= actions // 3


@slow
@front_end
def test_an_interrupt_pauses_with_a_sentence_and_play_goes_on(page):
    page.press("Play")
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.view.locator("[data-command='notebook:interrupt-kernel'], [data-command='kernelmenu:interrupt']").first.click()
    page.view.wait_for_function(
        "() => document.querySelector('.status').innerText.includes('Interrupted')", timeout=10_000
    )
    done = page.ask("lab.experiment.done")
    page.rest(0.5)
    assert page.ask(PLAYING) == (False, done)
    page.press("Play")
    wait_for(lambda: page.ask("lab.experiment.done") > done)


@slow
def test_a_restarted_kernel_is_noticed(page):
    page.press("Play")
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.view.locator("[data-command='notebook:restart-kernel'], [data-command='kernelmenu:restart']").first.click()
    page.view.click(".jp-Dialog .jp-mod-accept")
    page.view.wait_for_selector(".rdskd-gone", timeout=30_000)
    assert "Run its cell again" in page.view.inner_text(".rdskd-gone")


@slow
@front_end
def test_a_closed_tab_leaves_no_running_trainer(page):
    page.press("Play")
    wait_for(lambda: page.ask("lab.liveness.seen") is not None and page.ask("lab.experiment.done") >= 3)
    page.ask("setattr(__import__('rdskd_lab.lab.widgets.page_liveness').lab.widgets.page_liveness, 'UNWATCHED', 8)")
    page.rest(6)
    assert page.ask("lab.player.playing")  # a page that is there is heard
    page.view.goto("about:blank")
    wait_for(lambda: not page.ask("lab.player.playing"), 30)
    assert page.ask("lab.player.reason").startswith("Paused, because no page")


@slow
@front_end
def test_two_labs_take_turns_and_say_so(notebook):
    page = notebook([LAB, LAB.replace("lab =", "other =").replace("\nlab", "\nother")])
    page.run(0)
    page.shown()
    page.run(1)
    wait_for(lambda: page.view.locator(".jp-OutputArea .sheet img").count() == 2, 20)
    page.press("Play")
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.view.locator(".jp-OutputArea button", has_text="Play").nth(1).click()
    wait_for(lambda: page.ask("(lab.player.playing, other.player.playing)") == (False, True))
    wait_for(lambda: "another lab" in page.status(), 20)


@slow
@front_end
def test_running_the_cell_again_while_it_trains_leaves_one_trainer(page):
    page.ask("globals().update(old=lab)")
    page.press("Play")
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.run(1)
    wait_for(lambda: page.ask("lab is not old"), 20)
    page.rest(1)
    assert page.ask("(old.closed, lab.player.playing, lab.experiment.done)") == (True, False, 0)
    assert page.ask("len(type(lab.player)._playing)") == 0


@slow
def test_a_saved_notebook_shows_the_last_state_and_stays_small(page, server):
    page.press("Step x 10")
    wait_for(lambda: page.ask("lab.snapshot._step") == 10, 20)
    page.rest(1)
    page.view.keyboard.press("Control+s")
    saved = wait_for(lambda: "text/html" in page.path.read_text() and page.path.read_text(), 20)
    outputs = json.loads(saved)["cells"][1]["outputs"]
    assert len(saved) <= 300_000
    assert 'alt="40 generated images after 10 steps' in "".join(outputs[-1]["data"]["text/html"])
    assert all("".join(o["data"]["text/plain"]) == "[lab: rdskd, seed 0]" for o in outputs)


@slow
def test_twenty_runs_of_the_cell_and_many_steps_leak_nothing(notebook):
    page = notebook([LAB])
    memory = "(__import__('gc').collect(), __import__('psutil').Process().memory_info().rss / 1e6)[1]"
    for _ in range(3):
        page.run()
        page.rest(1)
    wait_for(lambda: page.ask("not lab.closed"), 20)
    before = page.ask(memory)
    for _ in range(20):
        old = page.ask("id(lab)")
        page.run()
        wait_for(lambda old=old: page.ask("id(lab)") != old, 20)
    cheap = "lab.player.take(iter([next(lab.experiment.steps())] * 20_000))"
    page.ask(cheap)
    page.press("Play")
    wait_for(lambda: page.ask("lab.player.pulled") >= 20_000, 120, 0.5)
    grown = page.ask(memory) - before
    print(f"\nkernel memory grew by {grown:.0f} MB")
    assert grown <= 40
