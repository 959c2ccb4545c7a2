"""The live lab without a browser: the player in its modes, every control's callback, what is recorded and replayed."""

import asyncio
import base64
import io
import json
import os
import random
import signal
import threading
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn
from toys import copied, same  # noqa: F401

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

import ipywidgets as widgets  # noqa: E402
from recorded import SMALL  # noqa: E402

from rdskd_lab.datasets import Split  # noqa: E402
from rdskd_lab.lab import Lab, PlaybackButtons, Player
from rdskd_lab.lab.drawing.sheet import png  # noqa: E402
from rdskd_lab.lab.drawing.view import class_shares, sentence  # noqa: E402
from rdskd_lab.lab.session import player  # noqa: E402
from rdskd_lab.lab.session.experiment import PLAYABLE, Experiment  # noqa: E402
from rdskd_lab.lab.session.record import Edit  # noqa: E402
from rdskd_lab.lab.session.trace import TraceError  # noqa: E402
from rdskd_lab.lab.session.tracefile import open_trace, save  # noqa: E402
from rdskd_lab.lab.sharing.share_string import Recipe, write  # noqa: E402
from rdskd_lab.lab.widgets import redraw_throttle
from rdskd_lab.methods.rdskd import PRESETS
from rdskd_lab.methods.registry import METHODS  # noqa: E402
from rdskd_lab.networks.architectures import LeNet5  # noqa: E402
from rdskd_lab.networks.weights import load_weights
from rdskd_lab.reporting.history import number  # noqa: E402
from rdskd_lab.runs import check_teacher
from rdskd_lab.torch_state import seeded  # noqa: E402

SMALL_CHECK = replace(SMALL, generator_steps=4, student_steps=4)


def test_a_lab_about_one_loss_says_which_and_another_method_may_lack_it():
    made = Lab(mode="inline", settings=SMALL, steps=1, learn=False, only="ie")
    assert made.state()["run"]["only"] == "ie"
    made.act({"do": "method", "name": "dfad"})
    assert made.state()["run"]["only"] == ""
    made.close()
    with pytest.raises(ValueError, match="rdskd has no loss 'bn'; pass oh, ie, ds or student"):
        Lab(mode="inline", settings=SMALL, only="bn")


def press(lab, do: str, **how) -> None:
    """What the page sends when a control is pressed."""
    lab.screen._hear(lab.screen, {"do": do, **how}, [])


def numbers(lab) -> dict[str, np.ndarray]:
    return {name: column for name, column in lab.record.history().items() if name != "phase"}


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=True) for k in a)


def replay(edits: list[Edit], steps: int, seed: int = 0) -> Experiment:
    """The bare loop, with the same edits before the same steps."""
    experiment = Experiment("rdskd", seed, settings=SMALL)
    todo = list(edits)
    experiment.rows = []
    pull = experiment.steps()
    for i in range(steps):
        while todo and todo[0].step == i:
            experiment.change(todo.pop(0))
        experiment.rows.append(next(pull))
    return experiment


def assert_replays(lab) -> None:
    """The lab's history and its generator are those of the bare loop with the recorded edits, bit for bit."""
    bare = replay(lab.record.edits, len(lab.record), lab.experiment.seed)
    for name in lab.record.names:
        assert lab.record.column(name).tolist() == [step.raw[name] for step in bare.rows]
        assert lab.record.column(f"{name}_gain").tolist() == [step.gain[name] for step in bare.rows]
        assert lab.record.column(f"{name}_weight").tolist() == [step.weight[name] for step in bare.rows]
    assert same(copied(lab.experiment.run.generator), copied(bare.run.generator))


def test_the_teacher_is_checked_from_the_lab_as_elsewhere_and_the_run_goes_on_as_if_it_had_not_been(lab, monkeypatch):
    monkeypatch.setattr(check_teacher, "IMAGES", 100)
    monkeypatch.setattr(check_teacher, "SHORT", SMALL_CHECK)
    lab.play(3)
    press(lab, "check")
    lab.play(3)
    elsewhere = check_teacher.check_teacher(load_weights(LeNet5(), "lenet5"), channels=1, size=32).text()
    assert {"what": "check", "text": elsewhere}.items() <= lab.screen.live["told"].items()
    assert_replays(lab)


# ---- the player ------------------------------------------------------------------------------------------------------


def test_a_loop_of_ones_own_is_played_in_five_lines():
    def my_loop():
        for i in range(10_000):
            yield {"loss": 1 / (i + 1)}

    buttons = PlaybackButtons(Player(my_loop(), mode="inline", at_once=7))
    buttons.play.click()
    buttons.one.click()
    buttons.ten.click()
    assert buttons.player.pulled == 7 + 1 + 10
    assert buttons.status.value == "18 steps. Paused."


def test_requests_are_granted_between_two_steps_in_their_order():
    seen, state = [], {"x": 0}
    play = Player((dict(state) for _ in range(9)), on_step=lambda s: seen.append(s["x"]), mode="inline")
    play.ask(lambda: state.update(x=1))
    play.ask(lambda: state.update(x=state["x"] + 1))
    play.play(np.int64(2))
    play.ask(lambda: state.update(x=5))
    play.play(1)
    assert seen == [2, 2, 5]


def test_steps_that_end_or_raise_end_in_a_sentence_and_can_be_played_again():
    def breaks():
        yield 1
        raise ValueError("the weight is too large; lower it")

    play = Player(breaks, mode="inline")
    play.play(5)
    assert (play.playing, play.reason) == (False, "Stopped. the weight is too large; lower it")
    play.play(1)
    assert (play.pulled, play.reason) == (2, "Paused.")
    ended = Player(iter([1, 2]), mode="inline")
    ended.play(5)
    assert (ended.pulled, ended.reason) == (2, "There are no more steps.")


@pytest.mark.parametrize("where", ["on_step", "on_show"])
def test_an_error_in_what_follows_a_step_ends_in_a_sentence_too(where):
    def plot(_):
        if play.pulled and fails:
            raise fails.pop()

    fails, play = [IndexError()], Player(range(99), mode="inline", **{where: plot})
    play.play(5)
    assert (play.playing, play.reason) == (False, "Stopped. IndexError")
    play.play(1)
    assert (play.pulled, play.reason) == (2 if where == "on_step" else 6, "Paused.")


@pytest.mark.parametrize("steps", [0, -1, 2.5])
def test_steps_that_cannot_be_counted_down_are_refused(steps):
    for asked in lambda: Player(range(9)).play(steps), lambda: Player(range(9), at_once=steps):
        with pytest.raises(ValueError, match=f"not {steps}"):
            asked()


def test_an_interrupt_in_the_foreground_pauses():
    def interrupted():
        yield 1
        raise KeyboardInterrupt

    play = Player(interrupted, mode="inline")
    play.play(5)
    assert (play.playing, play.reason) == (False, "Interrupted. Press Play to go on.")


def test_an_interrupt_waits_for_the_end_of_a_step_so_that_the_record_stays_whole(lab, tmp_path):
    def interrupt(*_):
        hook.remove()
        os.kill(os.getpid(), signal.SIGINT)

    lab.learn()
    lab.play(2)
    hook, usual = lab.experiment.run.student.register_forward_hook(interrupt), signal.getsignal(signal.SIGINT)
    lab.play(5)
    assert lab.player.reason.startswith("Interrupted.") and signal.getsignal(signal.SIGINT) is usual
    lab.play(2)
    assert len(lab.record) == lab.experiment.done == 5 and len(open_trace(save(lab.trace, tmp_path / "run.npz"))) == 5
    assert_replays(lab)


def test_a_task_plays_pauses_and_hears_requests_from_another_thread():
    async def played():
        stream = iter(range(10**9))
        play = Player(stream, mode="task")
        play.play()
        await asyncio.sleep(0.2)
        assert play.playing and play.pulled > 10 and play.threads == {"MainThread"}
        other = threading.Thread(target=play.pause)
        other.start()
        await asyncio.sleep(0.2)
        other.join()
        stopped = play.pulled
        await asyncio.sleep(0.1)
        assert not play.playing and play.pulled == stopped and play.reason == "Paused."
        play.play(3)
        await asyncio.sleep(0.2)
        assert play.pulled == stopped + 3

    asyncio.run(played())


def test_one_trains_at_a_time_and_the_other_says_why():
    async def played():
        first, second = (Player(iter(range(10**9)), mode="task") for _ in range(2))
        first.play()
        await asyncio.sleep(0.1)
        second.play()
        await asyncio.sleep(0.1)
        assert second.playing and not first.playing and "another lab" in first.reason
        second.close()

    asyncio.run(played())


def test_chunks_end_within_two_seconds_and_go_on_by_themselves(monkeypatch):
    monkeypatch.setattr(player, "CHUNK", 0.05)

    async def played():
        play = Player(iter(range(10**9)), mode="chunk")
        play.play()
        first = play.pulled
        assert first > 0  # in the foreground: before the callback has returned
        await asyncio.sleep(0.3)
        assert play.playing and play.pulled > first
        for _ in range(5):
            play.ask(lambda: None)
            await asyncio.sleep(0.12)
        turns, end = 0, play.loop.time() + 0.5
        while play.loop.time() < end:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 50  # of the loop, a few of which a message from the page takes
        play.pause()
        stopped = play.pulled
        await asyncio.sleep(0.2)
        assert play.pulled == stopped

    asyncio.run(played())


def test_slow_motion_takes_its_time():
    async def played():
        play = Player(iter(range(10**9)), mode="task")
        play.ask(lambda: setattr(play, "slow", True))
        play.play()
        await asyncio.sleep(0.9)
        assert 1 <= play.pulled <= 2
        play.close()

    asyncio.run(played())


def test_the_seconds_of_a_step_are_the_median_of_the_latest_five_steps(monkeypatch):
    clock, takes = [0.0], iter([9.0, 0.25, 0.5, 2.0, 2.0, 2.0, 0.5])

    def steps():
        for took in takes:
            clock[0] += took
            yield took

    monkeypatch.setattr(player, "perf_counter", lambda: clock[0])
    played, paces = Player(steps(), mode="inline"), []
    for _ in range(7):
        played.play(1)
        paces.append(played.step_seconds)
    assert paces == [0, 0, 0.5, 1.25, 2.0, 2.0, 2.0]  # nothing is said of two steps: the first one warms up


def test_below_a_step_a_second_the_lab_offers_recorded_runs(lab):
    lab.play(3)
    assert "Museum()" not in lab.screen.live["reason"]
    lab.player._took.extend([1.5] * 5)
    lab._draw()
    assert "A step takes 1.5 s here; recorded runs play at once" in lab.screen.live["reason"]


def test_an_unknown_mode_is_refused(monkeypatch):
    words = r"Replay\(path\) plays it without training"  # the doctor speaks of replay: it is no way to train
    for mode, said in ("thread", "unset it"), ("replay", words):
        monkeypatch.setenv("RDSKD_LAB_MODE", mode)
        with pytest.raises(ValueError, match=said):
            player.find_mode()


def test_a_forced_drawing_is_never_lost_and_drawings_keep_their_distance(monkeypatch):
    async def played():
        times = []
        loop = asyncio.get_running_loop()
        draw = redraw_throttle.RedrawThrottle(lambda: times.append(loop.time()), loop)
        for _ in range(50):
            draw(True)
            await asyncio.sleep(0.01)
        last = loop.time()
        await asyncio.sleep(0.3)
        assert times[-1] >= last - 0.02
        assert min(np.diff(times)) > 0.19 and len(times) <= 5

    asyncio.run(played())


# ---- every control ---------------------------------------------------------------------------------------------------


def test_buttons_play_step_and_reset(lab):
    press(lab, "step")
    assert lab.experiment.done == 1
    press(lab, "play")
    assert lab.experiment.done == 6  # five more: what this lab trains in inline mode
    press(lab, "pause")
    assert lab.player.reason == "Paused." == lab.screen.live["reason"]
    first = numbers(lab)
    press(lab, "reset")
    assert (lab.experiment.done, len(lab.record), lab.experiment.seed) == (0, 0, 0)
    lab.play(6)
    assert equal(numbers(lab), first)
    press(lab, "next_seed")
    assert lab.experiment.seed == 1 == lab.screen.run["seed"]
    lab.play(6)
    assert not equal(numbers(lab), first)
    press(lab, "seed", value=7)
    assert (lab.experiment.done, lab.experiment.seed) == (0, 7)


def test_every_control_of_a_term_edits_it_before_the_next_step_and_follows(lab):
    term = lab.experiment.objective["ie"]
    lab.play(3)
    edits = [("on", False), ("weight", 2.5), ("damped", False), ("rule", "average"), ("strength", 20.0)]
    for field, value in edits:
        press(lab, "edit", term="ie", field=field, value=value)
        assert lab.screen.live["terms"]["ie"][field] == value
    found = term.on, term.weight, term.damped, term.rule.__name__, term.strength
    assert found == (False, 2.5, False, "average", 20.0)
    assert lab.record.edits == [Edit(3, "ie", field, value) for field, value in edits]
    lab.play(3)
    assert lab.record.column("ie_gain").tolist()[3:] == [0, 0, 0]
    assert np.isfinite(lab.record.column("ie")).all()  # off, and still drawn
    assert lab.screen.live["terms"]["ie"]["pull"] == 0


def test_learning_the_method_and_the_window_are_asked_for_by_the_page(lab):
    press(lab, "learn", on=True)
    assert lab.experiment.learning and lab.screen.live["learning"]
    press(lab, "window", steps=0)
    assert lab.screen.live["charts"]["window"] == 0
    press(lab, "method", name="dafl")
    assert lab.experiment.method == "dafl" == lab.screen.run["method"]
    assert [term["key"] for term in lab.screen.run["terms"]] == list(lab.experiment.objective)
    for what in "share", "export":
        press(lab, what)
        assert lab.screen.live["told"]["what"] == what and len(lab.screen.live["told"]["text"]) > 10
    press(lab, "nothing of the kind")
    assert "That cannot be done" in lab.screen.live["reason"]


def test_a_reset_keeps_the_settings_and_repeats_the_run_with_the_same_edits(lab):
    lab.edit("ds", "on", False)
    lab.play(4)
    lab.reset()
    assert not lab.experiment.objective["ds"].on and lab.record.edits == [Edit(0, "ds", "on", False)]
    lab.play(4)
    assert_replays(lab)


def test_the_method_brings_its_own_terms_back(lab):
    lab.edit("ds", "weight", 7)
    lab.play(2)
    lab.use("rdskd")  # which the control shows already
    assert lab.experiment.done == 0
    assert lab.experiment.objective["ds"].weight == 1 == lab.screen.live["terms"]["ds"]["weight"]
    lab.play(2)
    assert_replays(lab)


@pytest.mark.parametrize("method", PLAYABLE)
def test_every_method_with_a_generator_can_be_played(lab, method):
    lab.use(method)
    lab.learn()
    lab.play(3)
    assert lab.experiment.method == method and lab.experiment.done == 3, lab.player.reason
    terms = [name for name, term in METHODS[method].terms().items() if "any bn" not in term.needs]  # this teacher: none
    assert list(lab.experiment.look().raw) == list(lab.experiment.objective) == terms


def test_the_student_learns_along_and_does_not_disturb_the_generator(lab):
    before = copied(lab.experiment.run.student)
    lab.play(6)
    assert same(copied(lab.experiment.run.student), before)
    lab.learn()
    lab.play(6)
    assert not same(copied(lab.experiment.run.student), before)
    assert 0 <= lab.record.student["accuracy"][-1] <= 1
    assert_replays(lab)


def test_slow_motion_is_a_request_like_any_other_and_its_control_follows(lab):
    press(lab, "slow", on=True)
    assert lab.player.slow and lab.screen.live["slow"]
    lab.player.ask(lambda: setattr(lab.player, "slow", False))
    assert not lab.screen.live["slow"]


# ---- the flow goes one way -------------------------------------------------------------------------------------------


def mine(i, raw, anchor):
    return raw / 2


def test_an_edit_reaches_the_model_whatever_the_control_shows(lab):
    lab.experiment.objective["ie"].on = False  # past the lab: the control shows that it is on
    lab.edit("ie", "on", True)
    assert lab.experiment.objective["ie"].on and lab.record.edits == [Edit(0, "ie", "on", True)]


def test_the_controls_follow_a_model_that_was_changed_past_the_lab(lab):
    oh = lab.experiment.objective["oh"]
    oh.weight, oh.rule = 5, mine
    lab.play(1)
    shown = lab.screen.live["terms"]["oh"]
    assert (shown["weight"], shown["rule"]) == (5, "") and lab.record.edits == []
    press(lab, "edit", term="oh", field="rule", value="epoch")
    assert oh.rule.__name__ == "epoch"


def test_presses_that_are_still_to_be_granted_are_granted_in_their_order():
    async def pressed():
        lab = Lab(mode="task", settings=SMALL, learn=False)
        for field, value in ("on", False), ("weight", 2), ("on", True):
            press(lab, "edit", term="ie", field=field, value=value)
        lab.edit("ie", "on", False)
        await asyncio.sleep(0.3)
        assert [str(edit) for edit in lab.record.edits] == ["ie off", "ie x 2", "ie on", "ie off"]
        assert not lab.screen.live["terms"]["ie"]["on"] and not lab.experiment.objective["ie"].on
        lab.close()

    asyncio.run(pressed())


def test_everything_off_moves_nothing_and_says_so(lab):
    lab.play(3)
    for name in lab.experiment.objective:
        press(lab, "edit", term=name, field="on", value=False)
    before = copied(lab.experiment.run.generator)
    lab.play(5)
    assert same(copied(lab.experiment.run.generator), before)
    assert "no weight of the generator moves" in lab.screen.live["reason"]
    assert_replays(lab)


def test_looking_changes_nothing(lab):
    lab.play(3)
    before, rng = copied(lab.experiment.run.generator), lab.experiment.run.rng.get_state()
    lab.experiment.look()
    assert same(copied(lab.experiment.run.generator), before)
    assert torch.equal(lab.experiment.run.rng.get_state(), rng)
    assert all(p.grad is None for p in lab.experiment.run.teacher.parameters())


def test_the_evidence_adds_up(lab):
    lab.play(3)
    look = lab.experiment.look()
    assert sum(look.share.values()) == pytest.approx(1)
    assert all(-1.0001 <= c <= 1.0001 for c in look.cosine.values())
    lab.edit("ie", "on", False)
    lab.edit("ds", "on", False)
    look = lab.experiment.look()
    assert look.share == pytest.approx({"oh": 1, "ie": 0, "ds": 0}) and look.cosine["oh"] == pytest.approx(1, abs=1e-5)
    assert look.norm["ie"] > 0


def test_an_exploding_term_stops_before_it_moves_anything_and_can_be_mended(lab):
    lab.play(2)
    lab.experiment.objective["oh"].anchor = -200.0
    before = copied(lab.experiment.run.generator)
    weights = {k: v for k, v in before.items() if "running" not in k and "num_batches" not in k}
    lab.play(2)
    assert "'oh'" in lab.player.reason and "'oh'" in lab.screen.live["reason"]
    assert lab.screen.live["terms"]["oh"]["gain"] is None and lab.snapshot.html()  # which would end in another sentence
    assert same({k: v for k, v in copied(lab.experiment.run.generator).items() if k in weights}, weights)
    lab.edit("oh", "damped", False)
    lab.play(2)
    assert lab.experiment.done == 4


@pytest.mark.parametrize(
    "edit",
    [
        ("oh", "colour", 1),
        ("oh", "weight", -1),
        ("oh", "weight", float("nan")),
        ("oh", "rule", "never"),
        ("xx", "on", 1),
        ("ie", "on", "yes"),
        ("ie", "damped", None),
        ("student", "learns", 2),
    ],
)
def test_a_wrong_edit_is_refused_in_a_sentence(lab, edit):
    with pytest.raises((ValueError, KeyError)) as error:
        lab.edit(*edit)
    assert type(error.value) in (ValueError, KeyError) and len(str(error.value)) > 20
    assert lab.record.edits == []
    with pytest.raises(ValueError, match="plays rdskd"):
        lab.use("gan")


@pytest.mark.timeout(300)
def test_a_storm_of_a_thousand_actions(lab):
    rng = random.Random(0)

    def edit():
        field = rng.choice(["on", "weight", "damped", "rule", "strength"])
        values = dict(weight=[-5, 0, 0.3, 1, 2, 1000], rule=["epoch", "previous", "average"], strength=[0, 1, 20, 99])
        term, value = rng.choice(list(lab.experiment.objective)), rng.choice(values.get(field, [True, False]))
        return "edit", dict(term=term, field=field, value=value)

    def act():
        rare = rng.random()
        able = [
            *[edit] * 2,
            lambda: ("strength", {"value": rng.choice([0, 1, 5, 20])}),
            lambda: ("compare", {"on": rng.random() < 0.5}),
            lambda: ("learn", {"on": rng.random() < 0.5}),
            lambda: ("window", {"steps": rng.choice([0, 200, 7])}),
            lambda: ("pause", {}),
            lambda: ("play" if rare < 0.1 else "step", {}),
            lambda: ("reset" if rare < 0.02 else "step", {}),
            lambda: ("next_seed" if rare < 0.02 else "step", {}),
            lambda: ("seed", {"value": "one"}),
            *[lambda: ("step", {})] * 4,
        ]
        return rng.choice(able)()

    lab.redraw.draw = lambda: None  # drawing is tested elsewhere; here it is a thousand times the cost
    for _ in range(1000):
        do, how = act()
        press(lab, do, **how)
        assert not lab.player.playing
        assert not lab.player.reason.startswith("Stopped."), lab.player.reason
    lab._draw()
    for name, term in lab.experiment.objective.items():
        shown = lab.screen.live["terms"][name]
        found = {field: getattr(term, field) for field in ("on", "weight", "damped", "strength")}
        assert {field: shown[field] for field in found} == found and shown["rule"] == term.rule.__name__
    assert lab.record.edits == sorted(lab.record.edits, key=lambda edit: edit.step)
    assert {"strength", "on"} <= {edit.field for edit in lab.record.edits}
    assert_replays(lab)


def test_the_lab_plays_in_chunks_and_its_switches_act_between_them(monkeypatch):
    monkeypatch.setattr(player, "CHUNK", 0.05)

    async def played():
        lab = Lab(mode="chunk", settings=SMALL, learn=False)
        press(lab, "play")
        assert lab.experiment.done > 0
        press(lab, "edit", term="ie", field="on", value=False)
        await asyncio.sleep(0.3)
        press(lab, "pause")
        assert lab.record.edits[0].step > 0 and not lab.experiment.objective["ie"].on
        assert_replays(lab)
        lab.close()

    asyncio.run(played())


# ---- what is shown and what stays ------------------------------------------------------------------------------------


def test_the_words_say_what_is_shown(lab):
    lab.play(3)
    lab.learn()
    lab.play(3)
    shares = class_shares(lab.experiment).lines[0].y
    assert shares == pytest.approx(100 * lab.experiment.shares()) and len(shares) == 10
    words = sentence(lab.experiment, lab.record, lab.look)
    assert words.startswith("step 6, one-hot loss ") and " of 10 classes, student " in words
    assert lab.liveness.sentence == words


def test_the_run_is_sent_again_only_when_it_has_changed_and_a_toggle_is_marked_on_the_axis(lab):
    sent = []
    lab.screen.observe(lambda change: sent.append(change["name"]))
    lab.play(3)
    assert set(sent) == {"live"}
    lab.edit("ie", "on", False)
    assert "run" in sent  # its edits
    lab.play(3)
    assert [3, "class diversity off", "ie"] in lab.screen.run["edits"]


def test_the_charts_show_terms_and_gains(lab):
    lab.edit("ie", "rule", "previous")
    lab.play(20)
    lab.edit("ds", "on", False)
    lab.play(20)
    record, charts = lab.record, {chart.title.split(" per ")[0]: chart.alt_text() for chart in lab.charts()}
    gain = np.exp(record.column("ie") - record.column("ie_anchor"))
    assert f"between {number(gain.min())} and {number(gain.max())}" in charts["gain"].split("; ie")[1]
    assert np.allclose(gain, record.column("ie_gain"), rtol=1e-5)
    assert moves(lab) == 39  # one mark at a time, for an anchor of ie or of both
    assert "ie off" not in charts["ds: diversity seeking loss"]
    lab.edit("ie", "strength", 5)
    lab.play(1)
    assert lab.charts()[-1].ylabel.startswith("exp(b (L - anchor))")


def moves(lab) -> int:
    """How many moves of an anchor are marked in the chart of gains."""
    return sum(len(line.x) for line in lab.charts()[-1].lines if line.kind == "dots")


def test_an_anchor_that_moves_is_marked_once(lab):
    lab.play(30)
    assert moves(lab) == 1  # the rule "epoch" has moved both anchors at once


def test_the_output_is_two_bundles_the_second_with_pictures_and_words(lab, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **kw: shown.append(data))
    lab._ipython_display_()  # in inline mode this trains
    page, card = shown
    assert lab.experiment.done == 5
    assert page["text/plain"] == card["text/plain"] == "[lab: rdskd, seed 0]"
    assert "text/html" not in page and 'alt="40 generated images after 5 steps' in card["text/html"]
    assert len(card["text/html"]) < 200_000
    json.dumps(page)


def test_afterwards_there_are_charts_to_explore(lab):
    assert lab.charts() == []
    lab.play(5)
    titles = [chart.title for chart in lab.charts()]
    assert titles[:2] == ["oh: one-hot loss", "ie: information entropy loss"] and "gain" in titles


def test_a_cell_that_is_run_again_leaves_no_widget_behind():
    Lab(mode="inline", settings=SMALL, learn=False).close()
    alive = getattr(widgets.widgets.widget, "_instances", None)  # ipywidgets 8, and 7
    alive = widgets.Widget.widgets if alive is None else alive
    before = len(alive)
    first = Lab(mode="inline", settings=SMALL, learn=False)
    second = Lab(mode="inline", settings=SMALL, learn=False)  # no front end tells the cells apart: the same one
    assert first.closed and not second.closed
    with pytest.raises(AttributeError, match="this lab was closed: .* so it has no 'player' any more"):
        first.play()
    second.close()
    assert len(alive) <= before


def test_a_lab_that_could_not_be_built_stays_in_nobodys_way():
    with pytest.raises(ValueError) as kept:
        Lab("gan", mode="inline", learn=False)
    Lab(mode="inline", settings=SMALL, learn=False).close()
    assert kept.tb  # which holds the half-built lab, as a notebook's last traceback does


def test_a_core_is_left_to_the_page_while_it_trains():
    from rdskd_lab.lab.session.cores import leave_a_core

    torch.set_num_threads(64)
    try:
        with leave_a_core():
            assert torch.get_num_threads() == max(1, len(__import__("os").sched_getaffinity(0)) - 1)
        assert torch.get_num_threads() == 64
    finally:
        torch.set_num_threads(1)


def test_nobody_watching_pauses(lab):
    lab.liveness._hear(None, {}, [])
    lab.liveness.seen -= 1000
    lab.player.playing = True
    lab._draw()
    assert lab.player.reason.startswith("Paused, because no page")


# ---- drawing ---------------------------------------------------------------------------------------------------------


def test_the_lab_generates_in_colour(tmp_path):
    """No colour data is shipped, so a set of three classes stands in the digits' place here."""
    from PIL import Image

    pixels = torch.randint(0, 256, (9, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    toy = Split(pixels, torch.arange(9) % 2, (0.5,) * 3, (0.25,) * 3, ("red", "green", "blue"), "toy test")
    lab = Lab(mode="inline", settings=SMALL, learn=False, teacher=seeded(0, LeNet5, 3, 3), data=toy)
    lab.learn()
    lab.play(21)
    assert lab.look.images.shape == (40, 3, 32, 32) and 0 <= lab.record.student["accuracy"][-1] <= 1
    assert any(f"of class {name}" in lab.snapshot.html() for name in toy.classes)
    source = lab.screen.live["sheet"]["png"]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))
    first = lab.look.images[0].transpose(1, 2, 0)  # its channels stay apart, and in their order
    assert sheet.shape == (160, 256, 3) and np.abs(sheet[:32, :32].astype(int) - first).max() <= 9
    assert np.ptp(sheet.astype(int), axis=2).max() > 50
    real = np.asarray(Image.open(io.BytesIO(base64.b64decode(lab.screen.run["real"]["png"]))))
    assert real[:, :32].any() and real[:, 32:64].any() and not real[:, 64:].any()  # no test image is blue
    back = open_trace(save(lab.trace, tmp_path / "colour.npz"))
    assert np.array_equal(back.moments[20].look.images, lab.trace.moments[20].look.images)
    lab.close()


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (20, 1)])
def test_a_teacher_of_ones_own_may_have_any_number_of_classes(classes, channels, tmp_path):
    names = [f"kind {k}" for k in range(classes)]
    net = seeded(0, LeNet5, channels, classes)
    lab = Lab(mode="inline", settings=SMALL, teacher=net, classes=names)
    lab.play(21)
    state = json.loads(json.dumps(lab.state(), allow_nan=False))
    assert state["run"]["classes"] == names and state["run"]["real"] is None
    assert state["run"]["student_label"] == "student agrees with the teacher"
    assert len(state["live"]["shares"]) == classes and 0 <= lab.numbers["student"] <= 1
    assert lab.look.images.shape == (40, channels, 32, 32)
    kept = open_trace(save(lab.trace, tmp_path / "own.npz"))
    values = lab.record.column("oh").tolist()
    on = Lab.go_on(kept, 21, mode="inline", teacher=net, classes=names)
    assert on.record.column("oh").tolist() == values and on.experiment.classes == names
    on.close()
    lab.close()
    with pytest.raises(ValueError, match=f"the teacher has {classes} classes, and 1 names were given"):
        Lab(mode="inline", settings=SMALL, teacher=net, classes=["one"])
    with pytest.raises(ValueError, match="neither a folder that exists"):
        Lab(mode="inline", settings=SMALL, teacher=net, data=tmp_path / "none")


def test_a_run_goes_on_with_images_of_its_own_format_where_no_data_say_which():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 28**2, 99), nn.ReLU(), nn.Linear(99, 4))
    images, labels = torch.arange(8 * 3 * 28**2).view(8, 3, 28, 28).byte(), torch.arange(8) % 4
    test = Split(images, labels, (0.5,) * 3, (0.5,) * 3, ("a", "b", "c", "d"), "toy test")
    lab = Lab(mode="inline", settings=SMALL, teacher=net, data=test, learn=False)
    lab.play(3)
    on = Lab.go_on(lab.trace, 2, mode="inline", teacher=net)
    for _ in range(2):  # and after it was set back
        on.play(3 - on.experiment.done)
        assert on.look.images.shape == (40, 3, 28, 28)
        assert on.record.column("oh").tolist() == lab.record.column("oh").tolist()
        on.reset()
    on.close()
    lab.close()


def test_a_lab_that_needs_more_memory_than_there_is_is_refused_wherever_its_settings_come_from(monkeypatch, lab):
    big = replace(SMALL, batch_size=512, width=256)
    kept, shared = lab.trace, write(Recipe("rdskd", 0, settings=big))
    kept.settings |= {"batch_size": 512, "width": 256}
    monkeypatch.setattr("rdskd_lab.runs.memory.free_memory", lambda reserved: 10**9)
    for go in partial(Lab.go_on, kept, 0), partial(Lab.from_share, shared), partial(Lab, settings=big):
        with pytest.raises(
            ValueError, match=r"needs about .* of it for a step of the generator\), .* 1.0 GB; lower batch"
        ):
            go(mode="inline")
    monkeypatch.setattr("rdskd_lab.runs.memory.free_memory", lambda reserved: 10**6)
    with pytest.raises(TraceError, match="for the generator and its optimiser.*take another step or trace"):
        Lab.go_on(kept, 0, mode="inline")


def test_a_lab_stands_in_a_box_and_can_be_observed():
    seen, lab = [], Lab(mode="inline", settings=SMALL)
    box = widgets.HBox([lab])
    lab.observe(lambda change: seen.append((change["name"], change["new"])), ["step", "terms"])
    lab.play(3)
    lab.edit("ie", "strength", 7)
    assert ("step", 3) in seen and seen[-1][1]["ie"]["strength"] == 7 == lab.terms["ie"]["strength"]
    assert not lab.playing and set(lab.numbers) >= {"classes", "certainty", "student", "speed", "fluctuation"}
    box.close()
    lab.close()
    assert lab.closed and repr(lab)


def test_examples_begin_at_a_shipped_checkpoint_or_as_the_method_does(lab):
    lab.example("readable")
    assert (lab.experiment.method, lab.experiment.done, lab.experiment.learning) == ("rdskd+bn", 0, True)
    assert lab.look.raw["oh"] < 0.4 and lab.numbers["certainty"] > 0.75  # it has been trained
    lab.play(2)
    before = numbers(lab)
    lab.rewind(1)
    lab.play(1)
    assert equal(numbers(lab), before)
    for asked in lab.share, lab.export_code:
        with pytest.raises(ValueError, match="checkpoint"):
            asked()
    lab.example("collapse")
    lab.example("rdskd")
    assert lab.experiment.method == "rdskd" and not lab.experiment.start and lab.share()
    with pytest.raises(ValueError, match="rdskd, readable, collapse"):
        lab.example("pretty")


def test_a_png_is_one(tmp_path):
    from PIL import Image

    for channels in 1, 3:
        pixels = np.random.default_rng(0).integers(0, 256, (6, 10, channels), dtype=np.uint8)
        (tmp_path / "a.png").write_bytes(png(pixels))
        back = np.asarray(Image.open(tmp_path / "a.png")).reshape(6, 10, channels)
        assert np.abs(back.astype(int) - pixels).max() <= 9  # 16 levels


def test_the_classroom_is_what_is_played():
    lab = Lab(mode="inline", learn=False)
    s, classroom = lab.experiment.run.settings, PRESETS["classroom"]
    assert (s.batch_size, s.width, s.lr) == (classroom.batch_size, classroom.width, classroom.lr)
    bare = Experiment().steps()
    lab.play(5)
    assert lab.record.column("oh").tolist() == [step.raw["oh"] for step in islice(bare, 5)]
    lab.close()
