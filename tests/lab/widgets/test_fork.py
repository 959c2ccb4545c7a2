"""A run forked at some step: nothing but the edit is between its branches, both are played, compared and kept."""

import asyncio
import random

import numpy as np
import pytest
from toys import copied, same

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL, trace_edit  # noqa: E402

from rdskd_lab.lab import Lab  # noqa: E402
from rdskd_lab.lab.session.experiment import Experiment  # noqa: E402
from rdskd_lab.lab.session.record import Edit  # noqa: E402
from rdskd_lab.lab.session.trace import begin, retrain  # noqa: E402
from rdskd_lab.lab.session.tracefile import open_trace, save  # noqa: E402
from rdskd_lab.lab.widgets.fork import courses, split  # noqa: E402
from rdskd_lab.methods.registry import METHODS  # noqa: E402


def column(branch, name: str) -> list[float]:
    return branch.trace.record.columns[name].tolist()


def trained(method: str, edits: list[Edit], steps: int) -> tuple:
    """The bare loop from the seed, with these edits before their steps: experiment and trace after `steps` steps."""
    experiment, todo = Experiment(method, settings=SMALL), list(edits)
    kept, pull = begin(experiment), experiment.steps()
    while True:
        while todo and todo[0].step == experiment.done:
            experiment.change(todo[0])
            kept.record.edits.append(todo.pop(0))
        if experiment.done == steps:
            return experiment, kept
        kept.record.add(next(pull), experiment.objective)


def assert_same_run(branch, truth: tuple) -> None:
    experiment, kept = truth
    for name in kept.record.columns:
        assert column(branch, name) == kept.record.columns[name].tolist(), name
    for net in "generator", "student":
        assert same(copied(getattr(branch.experiment.run, net)), copied(getattr(experiment.run, net)))


# ---- nothing but the edit is between them ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["rdskd", "dfad"])
def test_at_ten_random_steps_one_branch_is_the_run_itself_and_the_other_the_run_edited(method):
    rng, on = random.Random(3), random.Random(4)
    edits = [trace_edit(rng, step, list(METHODS[method].terms())) for step in sorted(rng.choices(range(40), k=60))]
    for stop in rng.sample(range(40), 10):
        before = [edit for edit in edits if edit.step <= stop]
        experiment, kept = trained(method, before, stop)
        name = on.choice(list(experiment.objective))
        edit = Edit(stop, name, "on", not experiment.objective[name].on)
        branches = split(experiment, kept, edit)
        runs = [branch.experiment.steps() for branch in branches]
        for _ in range(6):  # in turn
            for branch, run in zip(branches, runs, strict=True):
                branch.step(next(run))
        assert experiment.done == len(kept) == stop  # the forked run has not moved
        assert_same_run(branches[0], trained(method, before, stop + 6))
        assert_same_run(branches[1], trained(method, [*before, edit], stop + 6))


def test_what_the_lab_would_have_done_is_what_the_branch_without_an_edit_does(lab):
    lab.play(7)
    lab.learn()
    lab.play(6)
    fork = lab.fork("ie", "on", False)
    fork.play(12)
    lab.play(12)
    kept, edited = fork.branches
    for name in lab.record.columns:
        assert column(kept, name) == lab.record.columns[name].tolist()
    assert same(copied(kept.experiment.run.generator), copied(lab.experiment.run.generator))
    assert same(copied(kept.experiment.run.student), copied(lab.experiment.run.student))
    assert column(edited, "oh")[:14] == column(kept, "oh")[:14]  # the same latents, and weights that have not moved yet
    assert column(edited, "oh")[14:] != column(kept, "oh")[14:]
    fork.close()


def test_an_edit_asked_for_just_before_belongs_to_both():
    async def scene():
        lab = Lab(mode="task", settings=SMALL, learn=False)
        lab.play()
        await asyncio.sleep(0.3)
        lab.edit("ds", "weight", 5)
        fork = lab.fork("ie", "on", False)
        assert [b.experiment.objective["ds"].weight for b in fork.branches] == [5, 5]
        assert [b.experiment.done for b in fork.branches] == [fork.start] * 2 == [lab.experiment.done] * 2
        await asyncio.sleep(0.3)
        assert not lab.player.playing and lab.experiment.done == fork.start
        fork.play()
        await asyncio.sleep(0.5)
        fork.pause()
        await asyncio.sleep(0.3)
        done = [b.experiment.done for b in fork.branches]
        assert done[0] == done[1] > fork.start and fork.player.threads == {"MainThread"}
        fork.close()
        lab.close()

    asyncio.run(scene())


def test_a_rule_of_ones_own_goes_along(lab):
    def mine(i, raw, anchor):
        return raw / 2

    lab.experiment.objective["oh"].rule = mine
    lab.play(3)
    fork = lab.fork("ie", "on", False)
    assert all(branch.experiment.objective["oh"].rule is mine for branch in fork.branches)
    fork.play(3)
    lab.play(3)
    assert column(fork.branches[0], "oh_anchor") == lab.record.columns["oh_anchor"].tolist()
    fork.close()


# ---- every control ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        Edit(3, "ie", "on", False),
        Edit(3, "ie", "damped", False),
        Edit(3, "ie", "weight", 2.5),
        Edit(3, "ie", "rule", "average"),
        Edit(3, "ie", "strength", 20.0),
    ],
)
def test_the_page_forks_with_what_is_chosen(lab, edit):
    lab.play(3)
    front = lab.page.children
    lab.act({"do": "fork", "term": edit.term, "field": edit.field, "value": edit.value})
    fork = lab.inner
    assert fork.branches[1].trace.record.edits == [edit] and fork.branches[0].trace.record.edits == []
    assert lab.page.children == (fork.page,)
    fork.buttons.ten.click()
    assert [branch.experiment.done for branch in fork.branches] == [13, 13] and lab.experiment.done == 3
    fork.leave.click()
    assert fork.closed and lab.inner is None and lab.page.children == front and lab.experiment.done == 3


@pytest.mark.parametrize(("edit", "its"), [(("ie", "on", False), 0), (None, 1)])  # its: the twin's place
def test_a_twin_and_its_run_are_shown_side_by_side_and_go_on_as_they_would_have(lab, edit, its):
    lab.play(3)
    lab.edit(*edit) if edit else lab.compare()
    lab.play(5)
    lab.act({"do": "side_by_side"})
    fork = lab.inner
    names = "as it was", "class diversity off" if edit else "without damping"
    assert (tuple(branch.name for branch in fork.branches), fork.start) == (names, 3)
    fork.play(4)
    courses = [column(branch, "oh") for branch in fork.branches]
    lab.player.ask(lab.shut)
    lab.play(4)
    assert courses[its] == lab.twin.record.columns["oh"].tolist()
    assert courses[1 - its] == lab.record.columns["oh"].tolist()
    lab.act({"do": "side_by_side"})
    lab.inner.keep(its)
    lab.rewind(12)  # from the seed
    assert lab.record.columns["oh"].tolist() == courses[its]


def test_without_a_twin_there_is_nothing_to_show_side_by_side(lab):
    lab.act({"do": "side_by_side"})
    assert lab.inner is None and "no twin" in lab.screen.live["reason"]


@pytest.mark.parametrize("which, name", [(0, "as it was"), (1, "ie off")])
def test_the_lab_goes_on_with_the_branch_that_is_kept(lab, which, name):
    lab.play(3)
    lab.act({"do": "fork", "term": "ie", "field": "on", "value": False})
    fork = lab.inner
    fork.buttons.one.click()
    kept = fork.branches[which]
    history, generator = column(kept, "oh"), copied(kept.experiment.run.generator)
    (fork.keep_same, fork.keep_edit)[which].click()
    assert fork.closed and lab.inner is None and f"branch: {name}." in lab.screen.live["reason"]
    assert lab.record.columns["oh"].tolist() == history and same(copied(lab.experiment.run.generator), generator)
    assert lab.screen.live["terms"]["ie"]["on"] is lab.experiment.objective["ie"].on is (which == 0)
    lab.play(4)
    assert len(lab.record) == lab.experiment.done == 8
    assert [str(edit) for edit in lab.record.edits] == ["ie off"] * which


def test_a_fork_in_a_cell_of_its_own_stays_when_a_branch_is_kept(lab):
    lab.play(2)
    fork = lab.fork("ds", "weight", 9)
    fork.play(2)
    fork.keep(1)
    lab.play(3)
    assert [branch.experiment.done for branch in fork.branches] == [4, 4] and lab.experiment.done == 7
    lab.use("dafl")
    fork.keep(0)
    assert lab.experiment.method == lab.screen.run["method"] == "rdskd" and lab.experiment.done == 4
    assert [term["key"] for term in lab.screen.run["terms"]] == ["oh", "ie", "ds"]
    lab.close()
    fork.keep(0)
    assert "is closed" in fork.status.value
    fork.close()


def test_a_branch_is_a_trace_like_any_other(lab, tmp_path):
    lab.play(4)
    fork = lab.fork("ie", "on", False)
    fork.play(4)
    again = open_trace(save(fork.branches[1].trace, tmp_path / "branch.npz"))
    assert [step.raw["oh"] for _, step in retrain(again, 8)] == column(fork.branches[1], "oh")
    fork.close()


@pytest.mark.parametrize("edit", [("ie", "on", True), ("oh", "weight", 1), ("oh", "weight", -1), ("xx", "on", True)])
def test_an_edit_that_is_none_is_refused_in_a_sentence(lab, edit):
    with pytest.raises((ValueError, KeyError)) as error:
        lab.fork(*edit)
    assert len(str(error.value)) > 20


def test_a_fork_that_changes_nothing_is_refused_on_the_page(lab):
    lab.act({"do": "fork", "term": "ie", "field": "rule", "value": "epoch"})
    assert lab.inner is None and "A fork needs a change" in lab.screen.live["reason"]


def test_a_branch_that_the_guard_stops_says_which_and_the_other_is_not_lost(lab):
    lab.play(2)
    fork = lab.fork("oh", "weight", 2)
    fork.branches[1].experiment.objective["oh"].anchor = -200.0
    fork.play(3)
    assert "In the branch &#x27;oh x 2&#x27;" in fork.status.value
    assert [branch.experiment.done for branch in fork.branches] == [3, 2]
    fork.branches[1].experiment.objective["oh"].anchor = 0.0
    fork.play(3)
    assert [branch.experiment.done for branch in fork.branches] == [5, 5]
    fork.close()


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_the_pictures_say_what_they_show(lab):
    lab.play(3)
    lab.learn()
    fork = lab.fork("ie", "on", False)
    fork.play(6)
    page = fork.pictures.value
    assert page.count('aria-label="40 generated images after 9 steps') == 2
    # sheets, histograms; terms, students, their differences
    assert page.count('role="img" aria-label="') == 2 + 2 + 3 * 2 + 2
    assert "ie: ie off minus as it was" in page and ">steps since the fork<" in page
    said = fork.liveness.sentence
    assert said.startswith("step 9, 6 after the fork; as it was: one-hot loss ") and "; ie off: one-hot loss" in said
    fork.close()


def test_the_curves_are_means_of_the_last_ten_steps_since_the_fork(lab):
    lab.play(3)
    fork = lab.fork("ie", "on", False)
    fork.play(25)
    steps, *both = courses("ie", fork.branches, 3)
    assert steps.tolist() == list(range(1, 26))
    for y, branch in zip(both, fork.branches, strict=True):
        raw = column(branch, "ie")[3:]
        assert y == pytest.approx([np.mean(raw[max(0, n - 10) : n]) for n in range(1, 26)], rel=1e-9)
    assert both[0][0] == both[1][0]  # the first batch comes before anything has moved
    fork.close()


def test_it_is_shown_as_a_page_and_a_card(lab, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **kw: shown.append(data))
    lab.play(3)
    fork = lab.fork("ie", "on", False)
    fork._ipython_display_()  # in inline mode this trains
    page, card = shown
    assert [branch.experiment.done for branch in fork.branches] == [8, 8]
    assert page["text/plain"] == card["text/plain"] == "[fork: rdskd, seed 0, ie off at 3]"
    for words in "as it was: 40 generated images", "ie: ie off minus as it was":
        assert words in card["text/html"].lower()
    assert len(card["text/html"]) < 200_000
    fork.close()
