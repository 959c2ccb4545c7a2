"""The twin is the run without the edit, bit for bit, and says no more than luck allows."""

import json

import numpy as np
import pytest
from toys import copied, same

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL  # noqa: E402

from rdskd_lab.lab import Lab  # noqa: E402
from rdskd_lab.lab.session import twin as twins  # noqa: E402
from rdskd_lab.lab.session.experiment import PLAYABLE, Experiment  # noqa: E402
from rdskd_lab.lab.session.record import Edit, Record, words_of  # noqa: E402
from rdskd_lab.lab.session.trace import begin  # noqa: E402
from rdskd_lab.lab.session.twin import LAST, SMOOTH, SOONEST, Band, Twin  # noqa: E402
from rdskd_lab.methods.rdskd import rdskd  # noqa: E402


@pytest.fixture
def lab():
    made = Lab(mode="inline", settings=SMALL)
    made.redraw.draw = lambda: None  # drawing is tested elsewhere
    yield made
    made.close()


def assert_is_the_run_without(lab, edits: list[Edit], steps: int) -> None:
    """The twin is the bare loop with only these edits: every number of every step, the probe, weights, student."""
    experiment, todo = Experiment(settings=SMALL), [Edit(0, "student", "learns", True), *edits]
    kept, pull = begin(experiment), experiment.steps()
    while experiment.done < steps:
        while todo and todo[0].step == experiment.done:
            experiment.change(todo.pop(0))
        kept.record.add(next(pull), experiment.objective)
        kept.note(experiment)
    its = lab.twin.record
    assert its.columns == kept.record.columns and its.probe == kept.record.probe
    assert its.edits == [Edit(0, "student", "learns", True), *edits]  # by which it can be repeated
    for net in "generator", "student":
        assert same(copied(getattr(lab.twin.experiment.run, net)), copied(getattr(experiment.run, net)))


def test_nothing_runs_beside_before_the_first_edit_and_then_the_run_without_it_does_bit_for_bit(lab):
    lab.play(7)
    assert lab.twin is None
    lab.edit("ie", "on", False)
    lab.play(9)
    assert lab.twin.kind == "without your last edit: class diversity off" and lab.twin.since == 7
    assert_is_the_run_without(lab, [], 16)
    lab.edit("oh", "weight", 3)
    assert "begins anew at step 16" in lab.player.reason
    lab.edit("oh", "strength", 20)  # before the same step: it goes without both
    lab.play(6)
    assert [str(edit) for edit in lab.twin.edits] == ["oh x 3", "oh damped x 20"]
    assert_is_the_run_without(lab, [Edit(7, "ie", "on", False)], 22)


def test_compare_without_an_edit_is_the_run_undamped_and_off_by_one_press(lab):
    lab.play(5)
    lab.compare()
    lab.play(6)
    assert lab.twin.kind == "without damping"
    assert_is_the_run_without(lab, [Edit(5, "oh", "damped", False), Edit(5, "ie", "damped", False)], 11)
    lab.compare(False)
    lab.edit("ds", "on", False)
    assert lab.twin is None
    lab.compare()
    lab.edit("ds", "on", True)
    assert lab.twin.edits == (Edit(11, "ds", "on", True),)
    lab.reset()
    assert lab.twin is None


def test_the_strength_of_all_is_one_edit_and_whether_the_student_learns_parts_nothing(lab):
    lab.play(4)
    lab.strength(20)
    assert len(lab.twin.edits) == 2 and lab.twin.without() == "all damped terms: damping x 20.0"
    began = lab.twin
    lab.play(2)
    lab.learn(False)
    lab.play(2)
    assert lab.twin is began and not lab.twin.experiment.learning
    assert lab.twin.record.edits[-1] == Edit(6, "student", "learns", False)
    lab.use("dfad")
    lab.play(2)
    lab.learn(True)  # here the generator sees the student
    assert lab.twin.edits[0].field == "learns"


def test_an_edit_that_changes_nothing_and_one_that_is_refused_start_no_twin(lab):
    lab.play(2)
    lab.edit("oh", "weight", 1)
    with pytest.raises(ValueError):
        lab.edit("oh", "strength", 51)
    assert lab.twin is None


def test_a_twin_that_breaks_ends_in_a_sentence_and_the_run_goes_on(lab):
    lab.play(2)
    lab.experiment.objective["oh"].anchor = -200.0
    lab.edit("oh", "damped", False)
    lab.play(3)
    assert lab.twin is None and lab.player.reason == "Paused." and lab.experiment.done == 5


# ---- what it may say -------------------------------------------------------------------------------------------------


def parted(difference, monkeypatch, lag: int) -> tuple[Twin, Record]:
    """A twin whose class numbers differ from the run's by `difference(lag)`, judged at every second step."""
    lags = [*range(2, LAST + 1, 2)]
    facts = {"method": "rdskd", "lags": lags, "critical": {"classes": 3.0, "oh": 3.0}, "fluctuation": {}}
    band = Band(facts | {"spread": {"classes": [0.1] * len(lags), "oh": [0.01] * len(lags)}})
    made = Twin.__new__(Twin)
    made.since, made.edits, made.found, made.band = 100, (Edit(100, "ie", "on", False),), [], band
    objective = rdskd()
    made.record, mine = Record(objective), Record(objective)

    class Run:
        done, own = 100, None

    made.experiment = Run()
    made.experiment.objective = objective
    for at in range(2, lag + 1, 2):
        made.experiment.done = 100 + at
        for record, more in (mine, difference(at)), (made.record, 0.0):
            record.add_probe(100 + at, {"oh": 0.2, "ie": -2.2, "ds": 0.02})
            record.seen["step"].append(100 + at)
            record.seen["classes"].append(9.4 + more)
            record.seen["certainty"].append(0.8)
        made._judge(mine)
    return made, mine


def test_it_says_too_early_until_it_can_tell_and_no_difference_only_after_300_steps(monkeypatch):
    for lag in 2, SOONEST - 2, SOONEST, LAST - 2:
        made, mine = parted(lambda at: 0.29, monkeypatch, lag)
        assert made.verdict == "early" and made.sentence(mine).startswith("Too early to tell")
    made, mine = parted(lambda at: 0.29, monkeypatch, LAST)
    assert (made.verdict, made.sentence(mine)) == ("same", "No difference beyond luck after 300 steps.")


def test_a_difference_counts_when_the_mean_of_20_steps_is_beyond_luck_and_then_stays(monkeypatch):
    made, mine = parted(lambda at: -3.3 * (at >= 100), monkeypatch, 100)
    assert made.verdict == "different"  # 3.3 / 10 > 3 x 0.1
    made, mine = parted(lambda at: -3.3 * (at >= 100), monkeypatch, 140)
    assert made.sentence(mine) == "Since you switched class diversity off 140 steps ago: classes 9.4 → 6.1"
    made, mine = parted(lambda at: -2.9 * (at == 100), monkeypatch, 140)
    assert made.verdict == "early"
    made, mine = parted(lambda at: -3.3 * (at == 100), monkeypatch, LAST)
    assert made.verdict == "different" and SMOOTH == 10


def test_it_keeps_silent_about_luck_where_none_was_measured(lab, monkeypatch):
    lab.play(4)  # settings of one's own
    lab.edit("ie", "on", False)
    lab.play(LAST)
    assert lab.twin.band is None and lab.twin.verdict == "early"
    assert "Not tested against luck" in lab.twin.sentence(lab.record)


def test_the_fluctuation_is_the_mean_positive_increment_with_the_error_of_ten_blocks():
    record, rng = Record(rdskd()), np.random.default_rng(0)
    values = rng.normal(size=80)
    for k, value in enumerate(values):
        record.add_probe(2 * k, {"oh": value, "ie": 0.0, "ds": 0.0})
    rises = [max(0.0, b - a) / 2 for a, b in zip(values[-51:-1], values[-50:], strict=True)]
    mean, error = record.fluctuation("oh")
    assert mean == pytest.approx(sum(rises) / 50)
    blocks = [sum(rises[k : k + 5]) / 5 for k in range(0, 50, 5)]
    assert error == pytest.approx(np.std(blocks, ddof=1) / 10**0.5)
    assert record.fluctuation("oh", start=60) is None and twins.stored_band.cache_info() is not None


# ---- the state of the screen -----------------------------------------------------------------------------------------


def test_the_state_is_json_and_has_the_twin_beside_the_run(lab):
    lab.play(6)
    lab.edit("ie", "on", False)
    lab.play(104)
    lab._draw()
    state = json.loads(json.dumps(lab.state(), allow_nan=False))
    live = state["live"]
    assert live["step"] == lab.step == 110 and live["twin"]["since"] == 6 and len(live["sheet"]["labels"]) == 40
    for drawn in [*live["charts"]["terms"].values(), live["charts"]["student"], live["charts"]["classes"]]:
        values = drawn.get("probe") or drawn["value"]
        assert len(drawn["steps"]) == len(values) == len(drawn["twin"])
    assert live["charts"]["terms"]["oh"]["anchor"][0] is None  # the two steps whose anchor is 0 set no range
    assert live["fluctuation"]["terms"]["oh"]["twin"] is None  # they do not differ in damping
    assert [term["title"] for term in state["run"]["terms"]][:2] == ["Authenticity", "Class diversity"]
    assert state["run"]["edits"][-1] == [6, "class diversity off", "ie"]
    assert lab.terms["ie"]["on"] is False and lab.numbers["of"] == 10


@pytest.mark.parametrize(
    "action",
    [{}, {"do": "fly"}, {"do": 3}, {"do": "edit"}, {"do": "edit", "term": "oh", "field": "strength", "value": "x"},
     {"do": "edit", "term": [], "field": "on", "value": True}, {"do": "seed", "value": -1}, {"do": "window", "steps": 7},
     {"do": "example", "name": "none"}, {"do": "method", "name": {}}, {"do": "strength", "value": None},
     {"do": "fork", "term": "zz", "field": "on"}],
)  # fmt: skip
def test_an_action_that_cannot_be_done_is_answered_by_a_sentence(lab, action):
    lab.act(action)
    assert lab.player.reason.startswith(("That cannot be done: ", "Stopped. "))
    lab.act({"do": "step"})
    assert lab.experiment.done == 1


def test_luck_was_measured_for_rdskd_as_it_comes_whatever_its_damping_and_for_nothing_else():
    band, run = twins.stored_band(), Experiment()
    assert band.suits(run) and {"classes", "certainty", *run.objective} == set(band.spread)
    run.objective["oh"].strength, run.objective["ie"].damped = 20.0, False
    assert band.suits(run)
    run.objective["ds"].weight = 2.0
    assert not band.suits(run)
    for other in Experiment("dafl"), Experiment(settings=SMALL), Experiment(teacher=run.run.teacher, data="digits"):
        assert not band.suits(other)
    narrow = min(band.spread["classes"])
    assert band.beyond("classes", 2, 1.01 * band.critical["classes"] * max(band.spread["classes"]))
    assert not band.beyond("classes", 300, 0.99 * band.critical["classes"] * narrow)


def test_a_loss_is_named_as_its_card_names_it_and_by_its_own_name_where_the_card_has_no_other():
    for method, name, words in (
        ("rdskd", "ie", "the loss of class diversity"),
        ("dafl", "act", "the activation loss"),
        ("rdskd+bn", "bn", "the BatchNorm statistics"),
    ):
        assert twins.loss_of(words_of(PLAYABLE[method].terms(), name)) == words
