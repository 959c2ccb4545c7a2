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

from jupyter import LAB, PLAYING, Page, slide, violations, wait_for  # noqa: E402

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
    made.before, start = made.bytes, time.monotonic()
    made.run(1)
    made.shown()
    made.first = time.monotonic() - start
    made.rest(0.5)
    yield made
    if not made.view.locator(".rdskd-gone").count():  # its kernel was not restarted
        assert made.ask("sorted(lab.player.threads)") in ([], ["MainThread"]), "a callback trained in its own thread"


def say_paused(page: Page, timeout: float = 10) -> None:
    page.view.wait_for_function(
        "() => !document.querySelector('.rdskd-screen.playing')", polling=20, timeout=1000 * timeout
    )


def term(page: Page, name: str, field: str):
    expression = f"lab.experiment.objective[{name!r}].{field}"
    return page.ask(f"{expression}.__name__" if field == "rule" else expression)


def test_a_learner_runs_the_cell_plays_switches_and_pauses(page):
    assert page.bytes - page.before < 6e6  # the first display, over the websocket
    page.key("play").click()
    wait_for(lambda: page.ask("lab.experiment.done") >= 5)
    assert page.ask("lab.player.threads") == {"MainThread"}
    page.switch("ie.on", False)
    wait_for(lambda: term(page, "ie", "on") is False)
    page.key("play").click()  # which is Pause now
    wait_for(lambda: not page.ask("lab.player.playing"))
    say_paused(page)
    done = page.ask("lab.experiment.done")
    page.rest(0.5)
    assert page.ask(PLAYING) == (False, done)
    wait_for(lambda: page.status().startswith(f"Step {done:,}"))
    assert page.ask("[str(e) for e in lab.record.edits]") == ["student learns", "ie off"]
    assert page.ask("(lab.step, lab.playing, lab.terms['ie']['on'])") == (done, False, False)
    assert page.errors == []


@slow
@front_end
def test_every_control_does_in_the_training_what_it_says(page):
    page.key("step").click()
    wait_for(lambda: page.ask("lab.experiment.done") == 1)
    for name in "oh", "ie", "ds":
        was = term(page, name, "damped")
        page.switch(f"{name}.on", False)
        wait_for(lambda name=name: term(page, name, "on") is False)
        slide(page, f"{name}.weight", 1000)
        wait_for(lambda name=name: term(page, name, "weight") == 100)
        page.switch(f"{name}.damped", not was)
        wait_for(lambda name=name, was=was: term(page, name, "damped") is not was)
    page.key("more").click()
    for name in "oh", "ie", "ds":
        page.key(f"{name}.rule").select_option("average")
        wait_for(lambda name=name: term(page, name, "rule") == "average")
        page.key(f"{name}.exact").fill("2.5")
        page.view.keyboard.press("Enter")
        wait_for(lambda name=name: term(page, name, "weight") == 2.5)
    wait_for(lambda: "no weight of the generator moves" in page.status())
    page.key("learn").uncheck()
    wait_for(lambda: not page.ask("lab.experiment.learning"))
    page.key("slow").check()
    wait_for(lambda: page.ask("lab.player.slow"))
    page.key("window").select_option("0")
    wait_for(lambda: page.ask("lab.window") == 0)
    page.key("more").click()
    page.switch("oh.on", True)
    page.switch("oh.damped", True)
    slide(page, "strength", 860)
    wait_for(lambda: page.ask("lab.experiment.objective['oh'].strength") == 20)
    page.key("compare").click()
    page.key("play").click()
    page.rest(2.5)
    page.key("play").click()
    say_paused(page)
    assert 2 <= page.ask("lab.experiment.done") <= 9
    for what, start in ("share", "rdskd1:"), ("export", "# rdskd, seed 0"), ("report", ""):
        page.more(what)
        wait_for(lambda: page.view.locator(".answer textarea").count() == 1)
        wait_for(lambda start=start: page.view.locator(".answer textarea").input_value().startswith(start))
    page.more("next-seed")
    wait_for(lambda: page.ask("(lab.experiment.done, lab.experiment.seed)") == (0, 1))
    page.key("seed").fill("5")
    page.view.keyboard.press("Enter")
    wait_for(lambda: page.ask("(lab.experiment.done, lab.experiment.seed)") == (0, 5))
    page.key("method").focus()
    page.key("method").select_option("dafl")
    wait_for(lambda: page.ask("lab.experiment.method") == "dafl")
    wait_for(lambda: page.key("act.on").count() == 1)
    assert page.view.evaluate("document.activeElement.dataset.key") == "method"  # though the cards are others
    page.key("more").click()
    page.key("example-collapse").check(force=True)
    wait_for(lambda: page.ask("lab.experiment.method") == "dfad")
    page.key("step").click()
    wait_for(lambda: page.ask("lab.experiment.done") == 1)
    page.key("reset").click()
    wait_for(lambda: page.ask("lab.experiment.done") == 0)
    assert page.ask("lab.player.threads") == {"MainThread"}
    assert page.errors == []


@slow
def test_the_readable_example_and_the_twin_side_by_side(page):
    page.key("example-readable").check(force=True)
    wait_for(lambda: page.ask("(lab.experiment.method, lab.experiment.start)") == ("rdskd+bn", "readable"), 60)
    wait_for(lambda: "not in RDSKD" in page.view.inner_text(".extra"))
    page.switch("bn.on", False)
    wait_for(lambda: page.ask("lab.twin is not None"))
    page.key("step").click()
    wait_for(lambda: page.ask("lab.experiment.done") == 1)
    page.key("side").click()
    wait_for(lambda: page.view.locator(".jp-OutputArea .fork .sheet").count() == 2)
    wait_for(lambda: page.view.evaluate("document.activeElement.innerText").strip() == "Play")  # the fork's own
    page.press("Back to the lab")
    wait_for(lambda: page.key("play").count() == 1)
    wait_for(lambda: page.view.evaluate("document.activeElement.dataset.key") == "play")
    assert page.errors == []


@slow
@pytest.mark.parametrize(("size", "most"), [((1440, 900), 780), ((1024, 768), 900)])
def test_the_first_screen_fits_and_shows_play_without_scrolling(notebook, size, most):
    page = notebook(["1", LAB, "2", "3"], width=size[0], height=size[1], whole=True)  # beside the list of files
    page.run(1)
    page.shown()
    measure = """() => { const lab = document.querySelector('.rdskd-screen'), box = lab.getBoundingClientRect();
      const panel = document.querySelector('.jp-WindowedPanel-outer, .jp-Notebook').getBoundingClientRect();
      const play = lab.querySelector('.play').getBoundingClientRect();
      return [box.height, play.top >= panel.top && play.bottom <= panel.bottom, lab.scrollWidth - lab.clientWidth]; }"""
    wait_for(lambda: page.view.evaluate(measure)[1], 10)
    page.rest(1.5)
    high, seen, over = page.view.evaluate(measure)
    assert high <= most and seen and over <= 0
    assert "Press Play" in page.status()
    assert page.errors == []


@slow
def test_the_keyboard_reaches_and_works_every_control(page):
    page.key("play").focus()
    seen = []
    for _ in range(20):
        seen.append(page.view.evaluate("document.activeElement.dataset.key ?? ''"))
        page.view.keyboard.press("Tab")
        if not page.view.evaluate("!!document.activeElement.closest('.rdskd-screen')"):
            break
    assert len(seen) <= 16 and {"play", "step", "oh.on", "ie.weight", "ds.damped", "strength", "sort"} <= set(seen)
    page.key("step").focus()
    page.view.keyboard.press("Space")
    wait_for(lambda: page.ask(PLAYING) == (False, 1))
    page.rest(2.5)  # the still for the saved notebook is made now, and must not take the focus
    assert page.view.evaluate("document.activeElement.dataset.key") == "step"
    for _ in range(3):
        page.view.keyboard.press("ArrowRight")
    page.view.keyboard.press("Enter")
    wait_for(lambda: page.key("look-back").count() == 1)
    page.key("look-back").focus()
    page.view.keyboard.press("Enter")
    wait_for(lambda: page.key("scrubber").count() == 1)
    wait_for(lambda: page.view.evaluate("document.activeElement.dataset.key") == "play")
    page.key("continue").focus()
    page.view.keyboard.press("Enter")
    wait_for(lambda: page.key("reset").count() == 1)
    wait_for(lambda: page.view.evaluate("document.activeElement.dataset.key") == "play")
    page.key("ie.weight").focus()
    page.view.keyboard.press("ArrowRight")
    wait_for(lambda: term(page, "ie", "weight") > 1)


@slow
def test_axe_finds_nothing_serious(page):
    page.switch("ie.on", False)
    for done in range(1, 4):
        page.key("step").click()
        wait_for(lambda done=done: page.ask(PLAYING) == (False, done))
    page.rest(1)
    assert violations(page) == []
    page.key("more").click()
    assert violations(page) == []
    live = page.view.locator(".jp-OutputArea [aria-live=polite]")
    wait_for(lambda: live.first.inner_text().startswith("step 3, one-hot loss"))
    assert "of 10 classes" in live.first.inner_text()


@pytest.mark.measure
def test_the_numbers(page):
    """Speed beside a bare loop that also trains the student, time to obey and to show it, first images, traffic."""
    page.ask("globals().update(e=type(lab.experiment)())")
    page.ask("[setattr(e, 'learning', True), globals().update(bare=e.steps())] and None")
    timed = "(lambda t, n, clock: ([next(bare) for _ in range(n)], n / (clock() - t))[1])(__import__('time').perf_counter(), {n}, __import__('time').perf_counter)"
    rates, shown = [], []
    page.ask(timed.format(n=20))
    for _ in range(3):
        rates.append(page.ask(timed.format(n=100)))
        page.key("play").click()
        page.rest(1)
        clock = "__import__('time').perf_counter()"
        (a, s), before = page.ask(f"(lab.experiment.done, {clock})"), page.bytes
        page.rest(5)
        b, e = page.ask(f"(lab.experiment.done, {clock})")
        shown.append(((b - a) / (e - s), (page.bytes - before) / (e - s)))
        page.key("play").click()
        say_paused(page)
        page.rest(2)
    rates.append(page.ask(timed.format(n=100)))
    speed = sum(rate for rate, _ in shown) / 3 / (sum(rates) / len(rates))
    traffic = max(rate for _, rate in shown)
    delays = []
    page.key("play").click()
    for i in range(50):
        page.rest(0.6)
        off = i % 2 == 0
        start = time.perf_counter()
        page.switch("ds.on", not off)
        page.view.wait_for_function(  # trained so, and drawn so: the card says what the kernel has sent
            "off => [...document.querySelectorAll('.card .pull')].at(-1).innerText.includes('off') === off",
            arg=off,
            polling=20,
        )
        delays.append(time.perf_counter() - start)
    page.key("play").click()
    delays.sort()
    print(
        f"\nspeed {speed:.1%} of the bare loop ({sum(rates) / len(rates):.1f} steps/s), first images {page.first:.2f} s, "
        f"traffic {traffic / 1e3:.0f} kB/s, obeys in {delays[25]:.2f} s (median), {delays[-1]:.2f} s (worst of 50)"
    )
    assert speed >= 0.85
    assert page.first <= 3
    assert traffic <= 150e3
    assert delays[25] <= 0.3 and delays[-1] <= 0.8


@slow
@front_end
def test_a_storm_of_presses(page):
    """Random actions at full speed, 300 or a minute long: nothing breaks, and the record replays bit for bit."""
    actions, seconds = (100, 20) if "RDSKD_LAB_OVERLAY" in os.environ else (300, 60)
    rng, end = random.Random(0), time.monotonic() + seconds
    page.key("play").click()

    def act(name):
        rng.choice(
            [
                lambda: page.key(f"{name}.on").click(force=True),
                lambda: slide(page, f"{name}.weight", rng.choice([0, 300, 500, 700])),
                lambda: page.key(f"{name}.damped").click(force=True),
                lambda: slide(page, "strength", rng.choice([0, 380, 860])),
                lambda: page.key("compare").click(),
                lambda: page.key("sort").click(),
                lambda: page.key("play").click(),
                lambda: page.key("step").click(),
            ]
        )()

    done = 0
    while done < actions and time.monotonic() < end:
        done += 1
        act(rng.choice(["oh", "ie", "ds"]))
    page.ask("lab.pause()")
    wait_for(lambda: not page.ask("lab.player.playing"))
    page.rest(4)  # longer than the page believes a press more than the kernel
    assert not page.ask("lab.player.reason").startswith("Stopped.")
    wait_for(lambda: page.status().startswith(f"Step {page.ask('lab.experiment.done'):,}"))  # the last state was sent
    page.ask("lab._draw()")
    page.rest(1)
    for name in "oh", "ie", "ds":
        assert page.key(f"{name}.on").is_checked() == term(page, name, "on")
        assert page.key(f"{name}.damped").is_checked() == term(page, name, "damped")
        assert float(page.key(f"{name}.weight").evaluate("e => e.nextSibling.textContent")) == term(
            page, name, "weight"
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
    page.key("play").click()
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.view.locator("[data-command='notebook:interrupt-kernel'], [data-command='kernelmenu:interrupt']").first.click()
    page.view.wait_for_function(
        "() => document.querySelector('.rdskd-screen .status').innerText.includes('Interrupted')", timeout=10_000
    )
    done = page.ask("lab.experiment.done")
    page.rest(0.5)
    assert page.ask(PLAYING) == (False, done)
    page.key("play").click()
    wait_for(lambda: page.ask("lab.experiment.done") > done)


@slow
def test_a_restarted_kernel_is_noticed(page):
    page.key("play").click()
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.view.locator("[data-command='notebook:restart-kernel'], [data-command='kernelmenu:restart']").first.click()
    page.view.click(".jp-Dialog .jp-mod-accept")
    page.view.wait_for_selector(".rdskd-gone", timeout=30_000)
    assert "Run its cell again" in page.view.inner_text(".rdskd-gone")


@slow
@front_end
def test_a_closed_tab_leaves_no_running_trainer(page):
    page.key("play").click()
    wait_for(lambda: page.ask("lab.liveness.seen") is not None and page.ask("lab.experiment.done") >= 3)
    page.ask("setattr(__import__('rdskd_lab.lab.widgets.page_liveness').lab.widgets.page_liveness, 'UNWATCHED', 8)")
    page.rest(6)
    assert page.ask("lab.player.playing")  # a page that is there is heard
    page.view.goto("about:blank")
    wait_for(lambda: not page.ask("lab.player.playing"))
    assert page.ask("lab.player.reason").startswith("Paused, because no page")


@slow
@front_end
def test_two_labs_take_turns_and_say_so(notebook):
    page = notebook([LAB, LAB.replace("lab =", "other =").replace("\nlab", "\nother")])
    page.run(0)
    page.shown()
    page.run(1)
    wait_for(lambda: page.view.locator(".jp-OutputArea .rdskd-screen").count() == 2)
    page.key("play").click()
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.view.locator(".jp-OutputArea [data-key=play]").nth(1).click()
    wait_for(lambda: page.ask("(lab.player.playing, other.player.playing)") == (False, True))
    wait_for(lambda: "another lab" in page.status())


@slow
@front_end
def test_running_the_cell_again_while_it_trains_leaves_one_trainer(page):
    page.ask("globals().update(old=lab)")
    page.key("play").click()
    wait_for(lambda: page.ask("lab.experiment.done") >= 3)
    page.run(1)
    wait_for(lambda: page.ask("lab is not old"))
    page.rest(1)
    assert page.ask("(old.closed, lab.player.playing, lab.experiment.done)") == (True, False, 0)
    assert page.ask("len(type(lab.player)._playing)") == 0


@slow
def test_a_saved_notebook_shows_the_last_state_and_stays_small(page, server):
    page.ask("lab.play(10)")
    wait_for(lambda: page.ask("lab.snapshot._drawn[:1] == (10,)"))
    page.rest(1)
    page.view.keyboard.press("Control+s")
    saved = wait_for(lambda: "text/html" in page.path.read_text() and page.path.read_text())
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
    wait_for(lambda: page.ask("not lab.closed"))
    before = page.ask(memory)
    for _ in range(20):
        old = page.ask("id(lab)")
        page.run()
        wait_for(lambda old=old: page.ask("id(lab)") != old)
    cheap = "lab.player.take(iter([next(lab.experiment.steps())] * 20_000))"
    page.ask(cheap)
    page.key("play").click()
    wait_for(lambda: page.ask("lab.player.pulled") >= 20_000, 120, 0.5)
    grown = page.ask(memory) - before
    print(f"\nkernel memory grew by {grown:.0f} MB")
    assert grown <= 40
