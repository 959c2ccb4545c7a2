"""A recorded run looked at and gone on with: every control of a replay, and the way from it back into a lab."""

import asyncio
import random

import numpy as np
import pytest
from toys import copied, same
from waiting import until

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL, mutated, recorded  # noqa: E402

from rdskd_lab.lab import Lab, Replay  # noqa: E402
from rdskd_lab.lab.session.experiment import Experiment  # noqa: E402
from rdskd_lab.lab.session.trace import Trace, TraceError, begin  # noqa: E402
from rdskd_lab.lab.session.tracefile import open_trace, save  # noqa: E402


@pytest.fixture(scope="module")
def run():
    """45 steps with 12 random edits, checkpoints at 20 and 40: the trace, and the experiment as it ended."""
    return recorded(45, 12, freeze=20)


@pytest.fixture
def replay(run):
    made = Replay(run[0], mode="inline")
    yield made
    made.close()


def assert_is(lab, kept: Trace, experiment) -> None:
    """This lab's history is the trace's, bit for bit, and its networks are those of the run as it ended."""
    for name, column in kept.record.columns.items():
        assert lab.record.columns[name].tolist() == column.tolist(), name
    assert same(copied(lab.experiment.run.generator), copied(experiment.run.generator))
    assert same(copied(lab.experiment.run.student), copied(experiment.run.student))


def play_on(lab, kept: Trace) -> None:
    """Repeat by hand what was done from here to the end of the trace."""
    lab.redraw.draw = lambda: None  # drawing is tested elsewhere; here it is most of the time
    todo = [edit for edit in kept.record.edits if edit.step > lab.experiment.done]
    while lab.experiment.done < len(kept):
        lab.play(min([edit.step for edit in todo] + [len(kept)]) - lab.experiment.done)
        while todo and todo[0].step == lab.experiment.done:
            edit = todo.pop(0)
            lab.learn(edit.value) if edit.term == "student" else lab.edit(edit.term, edit.field, edit.value)


# ---- looking ---------------------------------------------------------------------------------------------------------


def test_nothing_is_built_that_could_train(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment, "__init__", None)
    replay = Replay(save(run[0], tmp_path / "run.npz"), mode="inline")
    replay.play()
    assert replay.step == 45 and "nothing is trained" in replay.screen.live["reason"]
    replay.close()


def test_every_control_shows_the_run_as_it_was(replay, run):
    replay.act({"do": "play"})  # inline mode: to the end
    assert (replay.step, replay.player.reason) == (45, "This is the end.")
    replay.act({"do": "step_by", "steps": -1})
    assert replay.step == 44 == replay.screen.live["step"]
    replay.act({"do": "step_by", "steps": 1})
    assert replay.step == 45
    replay.act({"do": "go", "step": 33})
    assert (replay.step, replay.experiment.done, len(replay.record)) == (33, 33, 33)
    assert np.array_equal(replay.look.images, run[0].moments[20].look.images)
    assert "images are those of step 20" in replay.screen.live["reason"]
    assert replay.screen.run["recorded"] == {"steps": 45, "rate": 50, "leave": "Continue from here"}
    replay.act({"do": "backwards"})
    assert (replay.step, replay.player.reason) == (0, "This is the beginning.")
    replay.act({"do": "rate", "value": 4})
    assert replay.player.rest == 0.25 and replay.screen.run["recorded"]["rate"] == 4
    replay.act({"do": "pause"})
    assert replay.player.reason == "Paused."
    for wrong in {"do": "dance"}, {"do": "rate", "value": 0}, {"do": "go", "step": "x"}, {}:
        replay.act(wrong)
        assert "That cannot be done" in replay.screen.live["reason"]
    replay.go(10**9)
    assert replay.step == 45
    replay.go(-3)
    assert replay.step == 0


def test_a_picture_is_what_the_lab_showed_at_that_step():
    lab = Lab(mode="inline", settings=SMALL, learn=False)
    lab.play(15)
    lab.edit("ie", "on", False)
    lab.play(5)
    replay = Replay(lab.trace, mode="inline")
    replay.go(20)
    assert replay.screen.run["edits"] == [[15, "class diversity off", "ie"]]
    assert replay.record.column("oh").tolist() == lab.record.column("oh").tolist()
    assert np.array_equal(replay.look.images, lab.look.images[:16])
    settings = "on", "weight", "damped", "rule", "strength"
    for name, shown in replay.screen.live["terms"].items():
        assert {k: shown[k] for k in settings} == {k: lab.screen.live["terms"][name][k] for k in settings}
    replay.go(14)
    assert replay.screen.live["terms"]["ie"]["on"] and replay.screen.run["edits"] == []
    lab.close()


def test_the_curves_are_the_training_losses_mean_of_ten_steps(replay):
    replay.go(45)
    shown, raw = replay.screen.live["charts"]["terms"]["oh"], replay.record.column("oh")
    assert shown["steps"] == list(range(1, 46))
    assert shown["probe"] == pytest.approx([raw[max(0, i - 9) : i + 1].mean() for i in range(45)])


def test_it_plays_at_the_speed_asked_for_both_ways_and_pauses():
    kept, _ = recorded(40)

    async def scene():
        replay = Replay(kept, mode="task")
        replay.set_rate(50)  # 10 steps a picture
        replay.play()
        await asyncio.sleep(0.5)
        assert replay.player.playing and replay.step in (20, 30)
        replay.pause()
        await asyncio.sleep(0.3)
        there = replay.step
        assert not replay.player.playing and replay.screen.live["step"] == there
        replay.set_rate(5)
        replay.play(-1)
        await asyncio.sleep(0.5)
        assert there - 4 <= replay.step <= there - 2
        replay.play()  # at once, without a pause
        await asyncio.sleep(0.1)
        assert replay.direction == 1 and replay.player.playing
        replay.close()

    asyncio.run(scene())


def test_presses_are_granted_in_their_order(run):
    async def pressed():
        replay = Replay(run[0], mode="task")
        for action in ("go", 5), ("go", 0), ("step_by", -1), ("step_by", 1), ("step_by", 1):
            replay.act({"do": action[0], "step": action[1], "steps": action[1]})
        await asyncio.sleep(0.3)
        assert replay.step == 2 == replay.screen.live["step"]
        replay.close()

    asyncio.run(pressed())


def test_in_chunk_mode_the_pictures_are_shown_while_it_plays():
    kept, _ = recorded(30)

    async def scene():
        replay = Replay(kept, mode="chunk")
        before = replay.redraw.drawn
        replay.play()  # 10 steps a picture, in the foreground
        assert replay.step == 30 and replay.redraw.drawn - before >= 3
        replay.close()

    asyncio.run(scene())


def test_play_at_the_end_begins_anew(replay):
    replay.go(45)
    pictures = []
    replay.player.on_step = lambda at: (pictures.append(at), replay._on_picture(at))
    replay.play()
    assert pictures == [10, 20, 30, 40, 45]
    replay.play(-1)
    replay.play(-1)
    assert pictures[5:] == [35, 25, 15, 5, 0] * 2


def test_a_caption_stands_above_and_another_trace_takes_the_place(replay, run):
    replay.load(begin(Experiment(seed=7, settings=SMALL)), caption="<p>What will break?</p>")
    assert "<p>What will break?</p>" in replay.caption.value and replay.caption in replay.head.children
    assert (replay.step, replay.experiment.seed, replay.screen.run["recorded"]["steps"]) == (0, 7, 0)
    replay.load(run[0])
    assert replay.caption.value == "" and replay.screen.run["recorded"]["steps"] == 45


def test_inline_mode_leaves_the_last_moment_as_pictures_and_words(replay, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **kw: shown.append(data))
    replay._ipython_display_()
    page, card = shown
    assert replay.step == 45 and page["text/plain"] == "[replay: rdskd, seed 0]"
    assert 'alt="16 generated images' in card["text/html"]


def test_a_replay_is_closed_when_its_cell_is_run_again(run):
    first = Replay(run[0], mode="inline")
    second = Replay(run[0], mode="inline")
    assert first.closed and not second.closed
    second.go_on()
    lab = second.lab
    Replay(run[0], mode="inline").close()
    assert second.closed and lab.closed


def test_it_says_what_it_shows_to_those_who_listen(replay):
    replay.go(40)
    assert replay.liveness.sentence.startswith("step 40, one-hot loss ") and "of 10 classes" in replay.liveness.sentence


# ---- going on --------------------------------------------------------------------------------------------------------


def test_a_run_with_many_random_edits_goes_on_bit_for_bit_from_ten_random_steps():
    kept, experiment = recorded(60, 200, freeze=15)
    for step in random.Random(2).sample(range(60), 10):
        replay = Replay(kept, mode="inline")
        replay.go(step)
        replay.act({"do": "continue"})
        lab = replay.lab
        assert lab.experiment.done == step and not lab.player.playing
        assert f"Back at step {step}" in lab.screen.live["reason"]
        play_on(lab, kept)
        assert_is(lab, kept, experiment)
        replay.close()


def test_a_lab_that_goes_on_keeps_its_own_settings_and_gives_another_method_its_usual_ones():
    lab = Lab.go_on(begin(Experiment(settings=SMALL)), 0, mode="inline")
    lab.reset()
    assert lab.experiment.run.settings.batch_size == 8
    lab.close()
    lab = Lab.go_on(begin(Experiment()), 0, mode="inline", device="cpu")
    lab.use("dafl")
    assert lab.experiment.run.settings == Experiment("dafl").run.settings
    lab.close()


def test_going_on_says_how_much_is_trained_anew(replay):
    replay.go(33)
    replay.go_on()
    before, said = replay.lab, replay.lab.screen.live["reason"]
    assert "Back at step 33, 13 of them trained anew from the checkpoint at step 20." in said
    replay.go_on()
    assert before.closed and replay.lab.experiment.done == 33
    replay.load(replay.trace)
    assert replay.lab is None
    replay.go(40)
    replay.go_on()
    assert "Back at step 40." in replay.lab.screen.live["reason"]
    replay.load(replay.trace)
    replay.go(7)
    replay.go_on()
    assert "7 of them trained anew from seed 0." in replay.lab.screen.live["reason"]
    assert replay.page.children == (replay.head, replay.lab.page)


def test_a_run_with_a_teacher_of_ones_own_asks_for_it_and_goes_on_with_it():
    teacher = Experiment().run.teacher
    kept = begin(Experiment(settings=SMALL, teacher=teacher), own_teacher=True)
    replay = Replay(kept, mode="inline")
    replay.go_on()
    assert replay.lab is None and "teacher of your own" in replay.screen.live["reason"]
    replay = Replay(kept, mode="inline", teacher=teacher)
    replay.go_on()
    assert replay.lab.experiment.run.teacher is teacher
    replay.close()


def test_a_trace_that_cannot_be_gone_on_with_says_so_and_can_still_be_looked_at(replay, run):
    kept = run[0].until(45, run[1])
    kept.checkpoints = {20: {"terms": np.zeros(3)}}
    replay.load(kept)
    replay.go(30)
    replay.go_on()
    assert replay.lab is None and "cannot go on from step 20" in replay.screen.live["reason"]
    replay.go(44)
    assert replay.step == 44


# ---- from a lab ------------------------------------------------------------------------------------------------------


def test_a_lab_rewinds_to_any_step_of_its_run():
    lab = Lab(mode="inline", settings=SMALL, learn=False)
    lab.trace.freeze = 20
    lab.play(15)
    lab.edit("ie", "on", False)
    lab.edit("ds", "on", False)
    lab.edit("ds", "on", True)  # both are repeated, and the controls that follow ask for nothing
    lab.learn()
    lab.play(20)
    lab.edit("ie", "weight", 3)
    lab.play(15)
    kept, experiment = lab.trace, lab.experiment
    for step in 50, 35, 20, 17, 15, 3, 0:
        lab.rewind(step)
        assert lab.experiment.done == len(lab.trace) == step
        assert [e for e in kept.record.edits if e.step <= step] == lab.record.edits
        shown, term = lab.screen.live["terms"]["ie"], lab.experiment.objective["ie"]
        assert (shown["on"], shown["weight"]) == (term.on, term.weight) == (step < 15, 3 if step >= 35 else 1)
        assert lab.screen.live["learning"] == lab.experiment.learning == (step >= 15)
    play_on(lab, kept)
    assert_is(lab, kept, experiment)
    for nowhere in 51, 2.5:
        with pytest.raises(ValueError, match="this run has 50 steps"):
            lab.rewind(nowhere)
    lab.close()


def test_an_edit_while_it_is_on_its_way_back_is_an_edit_of_the_new_run():
    async def scene():
        lab = Lab(mode="task", settings=SMALL, learn=False)
        lab.play(30)
        await until(lambda: lab.experiment.done >= 30)
        lab.player.ask(lambda: setattr(lab.player, "slow", True))
        lab.player.rest = 0.05
        lab.rewind(20)
        await asyncio.sleep(0.3)
        assert "Training 20 steps anew from seed 0, back to step 20." in lab.screen.live["reason"]
        lab.edit("ds", "on", False)
        await until(lambda: not lab.player.playing)
        assert lab.experiment.done == 20 and [str(edit) for edit in lab.record.edits] == ["ds off"]
        lab.close()

    asyncio.run(scene())


def test_a_lab_looks_back_and_goes_on_from_where_it_looked():
    lab = Lab(mode="inline", settings=SMALL, learn=False)
    lab.play(30)
    front, images = lab.page.children, lab.look.images
    lab.look_back()
    past = lab.inner
    assert lab.page.children == (past.page,) and past.step == 30
    past.act({"do": "continue"})  # nothing was left out: as it was
    assert lab.page.children == front and past.closed and len(lab.trace) == 30
    lab.look_back()
    lab.inner.go(12)
    lab.inner.act({"do": "continue"})
    assert lab.inner is None and lab.experiment.done == len(lab.trace) == 12
    lab.play(18)
    assert np.array_equal(lab.look.images, images)
    lab.look_back()
    past = lab.inner
    lab.close()
    assert past.closed


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_foreign_trace_that_opens_can_be_looked_at(replay, run, tmp_path):
    content, rng, opened = save(run[0], tmp_path / "run.npz").read_bytes(), random.Random(5), 0
    for _ in range(100):
        (tmp_path / "mutated.npz").write_bytes(mutated(content, rng))
        try:
            found = open_trace(tmp_path / "mutated.npz")
        except TraceError:
            continue
        opened += 1
        replay.load(found)
        for step in (len(found) // 2, len(found)):
            replay.go(step)
            assert replay.step == step and not replay.player.reason.startswith("Stopped"), replay.player.reason
    assert opened >= 10
