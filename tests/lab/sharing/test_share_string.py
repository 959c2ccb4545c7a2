"""An experiment as a string: what it says, that it opens the same experiment, what is refused."""

import os
import random
from dataclasses import replace
from functools import partial

import pytest
from toys import copied, same  # noqa: F401

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL, trace_edit  # noqa: E402

from rdskd_lab.lab import Lab
from rdskd_lab.lab.session.experiment import PLAYABLE  # noqa: E402
from rdskd_lab.lab.session.record import STUDENT, Edit  # noqa: E402
from rdskd_lab.lab.sharing import share_string  # noqa: E402
from rdskd_lab.lab.sharing.share_string import LONGEST, Recipe, ShareError, read, write  # noqa: E402
from rdskd_lab.objective import Objective, Term  # noqa: E402

CASES = int(os.environ.get("RDSKD_FUZZ", 1000))  # mutated strings
random_edit = partial(trace_edit, weights=(0.0, 0.3, 2.171, 12.34))


def random_recipe(rng: random.Random, edits: int) -> Recipe:
    method, seed = rng.choice(list(PLAYABLE)), rng.choice((0, 7, 99_999))
    steps = sorted(rng.choice((0, rng.randrange(2000))) for _ in range(edits))
    return Recipe(method, seed, tuple(random_edit(rng, step, list(PLAYABLE[method].terms())) for step in steps)).net()


def signed(body: str) -> str:
    return f"{body}:{share_string._checksum(body)}"


def kept(lab: Lab) -> tuple:
    """What a run did: its columns, its edits, its generator and its student."""
    run = lab.experiment.run
    return dict(lab.record.columns), list(lab.record.edits), copied(run.generator), copied(run.student)


def assert_the_same(one: tuple, two: tuple) -> None:
    """Two runs did the same, bit for bit."""
    assert one[:2] == two[:2] and len(one[0]["step"]) > 0
    assert same(one[2], two[2]) and same(one[3], two[3])


# ---- what it says ----------------------------------------------------------------------------------------------------


def test_a_string_can_be_read():
    made = Lab("rdskd", 7, mode="inline", learn=False)
    assert made.share().startswith("rdskd1:rdskd:7:") and len(made.share()) == len("rdskd1:rdskd:7:") + 4
    made.edit("oh", "weight", 2.5)
    made.edit("oh", "rule", "previous")
    made.edit("ds", "on", False)
    made.record.edits += [Edit(120, "ie", "damped", False), Edit(340, STUDENT, "learns", True)]
    made.experiment.change(Edit(120, "ie", "damped", False))
    made.experiment.run.done["synthesise"] = 340
    assert made.share()[:-4] == "rdskd1:rdskd:7:oh-x2.5-previous+ds-off,ie-plain@120,student-learns@340:"
    made.close()


def test_settings_of_ones_own_are_in_it(lab):
    assert lab.share()[:-4] == "rdskd1:rdskd:0:batch=8,latent=16,width=4,lr=0.01,lesson=8,studentlr=0.002:"


def test_every_recipe_is_read_back_or_its_final_terms_are():
    rng = random.Random(0)
    for edits in [*range(12)] * 30:
        recipe = random_recipe(rng, edits)
        text = write(recipe)
        assert len(text) <= LONGEST
        found = read(text)
        assert write(found) == text
        if not found.final:
            assert found == recipe
        else:
            assert edits > 5  # few fit
            terms = [stand(r) for r in (recipe, found)]
            assert terms[0] == pytest.approx(terms[1], rel=1e-3)


def stand(recipe: Recipe) -> dict:
    """How the terms stand when every edit was made, as numbers."""
    objective, found = PLAYABLE[recipe.method].terms(), {}
    for edit in recipe.edits:
        if edit.term != STUDENT:
            edit.apply(objective)
    for name, term in objective.items():
        found |= {f"{name} weight": term.weight, f"{name} on": term.on, f"{name} damped": term.damped}
        found |= {f"{name} {term.rule.__name__}": 1}
    return found


@pytest.mark.parametrize("method", ["rdskd", "rdskd+bn", "dafl", "mskd", "dfad"])  # longer names may need a trace
def test_whatever_is_set_on_the_page_fits(method):
    terms = PLAYABLE[method].terms()
    edits = []
    for name, term in terms.items():
        edits += [Edit(0, name, "on", False), Edit(0, name, "weight", 99.87), Edit(0, name, "damped", not term.damped)]
        edits += [Edit(0, name, "rule", "previous"), Edit(99, name, "on", True), Edit(10_000, name, "on", False)]
    recipe = Recipe(method, 99_999, (*sorted(edits, key=lambda edit: edit.step), Edit(10_000, STUDENT, "learns", True)))
    assert len(write(recipe)) <= LONGEST
    assert stand(read(write(recipe))) == stand(recipe)


def test_changes_that_came_to_nothing_are_left_out(lab):
    lab.play(2)
    before = lab.share()
    for value in False, True:
        lab.edit("ie", "on", value)
    assert lab.record.edits and lab.share() == before


def test_strings_that_are_out_there_mean_in_later_versions_what_they_meant():
    """If this fails because RDSKD's own settings were changed, strings of before are refused, and README needs a new one."""
    off = [(300, "ie", "on", False), (340, "ie", "on", True)]
    readme = "rdskd1:rdskd:0:ie-off@300,ie-on@340:pzmu"
    assert read(readme) == Recipe("rdskd", 0, tuple(Edit(*e) for e in off))
    edits = [
        (0, "ds", "damped", True),
        (0, "ds", "rule", "average"),
        (50, "oh", "weight", 2.5),
        (50, STUDENT, "learns", True),
    ]
    slow = replace(PLAYABLE["rdskd"].presets["classroom"], batch_size=32, lr=0.002, student_optimizer="sgd")
    text = "rdskd1:rdskd:12:teacher=own,batch=32,lr=0.002,student=sgd,ds-damped-average,oh-x2.5+student-learns@50:h7si"
    assert read(text) == Recipe("rdskd", 12, tuple(Edit(*e) for e in edits), slow, own_teacher=True)
    text = "rdskd1:rdskd+bn:3:final,oh-x0.125-pl-pr+ie-of-x0.125-pl-pr+ds-of-x0.125-da-pr+bn-of-x0.125-da-pr:7kls"
    assert read(text).final and stand(read(text))["bn weight"] == 0.125 and len(read(text).edits) == 15


def test_a_string_of_a_version_in_which_the_method_was_set_otherwise_is_refused(monkeypatch):
    text = write(Recipe("dafl", 0))
    ours = PLAYABLE["dafl"]
    faster = replace(ours.presets["classroom"], lr=ours.presets["classroom"].lr * 2)
    monkeypatch.setitem(ours.presets, "classroom", faster)
    with pytest.raises(ShareError, match="other settings"):
        read(text)


def test_a_string_opens_the_same_run_after_the_method_has_gained_a_term(monkeypatch):
    text = write(Recipe("rdskd", 3, (Edit(2, "ie", "on", False), Edit(4, "ie", "on", True)), SMALL))

    def run():
        lab = Lab.from_share(text, mode="inline")
        lab.play(6)
        return kept(lab), lab

    (before, _), ours = run(), PLAYABLE["rdskd"]

    def more():
        return Objective({"new": Term(lambda batch: batch.images.std(), needs=("features",))} | ours.terms())

    monkeypatch.setitem(PLAYABLE, "rdskd", replace(ours, terms=more))
    after, lab = run()
    assert not lab.experiment.objective["new"].on and same(after[2], before[2])
    assert {name: after[0][name] for name in before[0]} == before[0]
    assert read(lab.share()).edits[0] == Edit(0, "new", "on", False)
    lab.close()
    other = Objective({("sure" if name == "oh" else name): term for name, term in ours.terms().items()})
    monkeypatch.setitem(PLAYABLE, "rdskd", replace(ours, terms=lambda: other))
    with pytest.raises(ShareError, match="other settings"):
        read(text)


# ---- the same experiment ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["rdskd", "mskd"])
def test_a_classmate_gets_the_same_experiment_bit_for_bit(method):
    small = replace(PLAYABLE[method].presets["classroom"], batch_size=8, width=4)
    lab = Lab(method, 3, mode="inline", settings=small, learn=False)
    lab.edit("oh", "weight", 0.3)
    for steps, edit in (4, ("ie", "on", False)), (1, ("ie", "damped", True)), (5, ("ie", "rule", "average")):
        lab.play(steps)
        lab.edit(*edit)
    lab.learn()
    lab.play(6)
    first, text = kept(lab), lab.share()
    lab.close()
    other = Lab.from_share(f" '{text}'\n", mode="inline")
    assert other.share() == text  # before a step was made, too
    other.play(4)
    assert not other.screen.live["terms"]["ie"]["on"]  # the controls follow
    other.play(12)
    assert_the_same(kept(other), first)
    assert other.share() == text
    other.close()


def test_edits_of_ones_own_may_be_made_between_those_of_the_string():
    text = signed("rdskd1:rdskd:0:batch=8,width=4,latent=16,ie-off@2,ie-on@6")
    lab = Lab.from_share(text, mode="inline")
    lab.play(4)
    lab.edit("ds", "on", False)
    lab.play(4)
    assert [str(edit) for edit in lab.record.edits] == ["ie off", "ds off", "ie on"]
    assert lab.record.column("ie_gain").tolist()[2:6] == [0, 0, 0, 0] and lab.record.column("ie_gain")[6] > 0
    lab.reset()
    assert lab.plan == []
    lab.close()


def test_too_many_edits_give_the_final_terms_and_say_so(lab):
    for k in range(12):
        lab.play(1)
        lab.edit(("oh", "ie", "ds")[k % 3], "weight", 1.25 + k)
    assert lab.share().split(":")[3].startswith("final,batch=8,")
    other = Lab.from_share(lab.share(), mode="inline")
    assert [term.weight for term in other.experiment.objective.values()] == [10.25, 11.25, 12.25]
    assert "too many" in other.screen.live["reason"]
    other.close()


def test_weights_that_settings_bring_are_in_a_string_and_a_try_is_done_again_without_them():
    lab = Lab(mode="inline", settings=replace(SMALL, weights=(("ie", 5.0),)), learn=False)
    lab.play(3)
    lab.edit("ie", "weight", 1)
    assert read(lab.share()).edits == (Edit(0, "ie", "weight", 5.0), Edit(3, "ie", "weight", 1.0))
    lab.reset()  # with weight 1
    lab.play(2)
    lab.reset(seed=1)
    lab.run_log.open(2)
    assert lab.experiment.objective["ie"].weight == 1
    lab.close()


def test_terms_that_were_changed_past_the_lab_stand_in_the_string_as_they_are(lab):
    lab.experiment.objective["ie"].weight = 5
    assert "final" in lab.share() and "ie-x5" in lab.share()


def test_what_a_string_cannot_hold_is_said():
    lab = Lab(mode="inline", settings=SMALL, learn=False)
    lab.experiment.objective["ie"].rule = lambda i, raw, anchor: raw - 1
    with pytest.raises(ShareError, match="'ie' has an anchor rule of your own"):
        lab.share()
    teacher = lab.experiment.run.teacher
    lab.close()
    with pytest.raises(ShareError, match="a seed in a string"):
        write(Recipe("rdskd", -1))
    lab = Lab(mode="inline", settings=SMALL, learn=False, teacher=teacher)
    text = lab.share()
    with pytest.raises(ShareError, match="give it"):
        Lab.from_share(text, mode="inline")
    other = Lab.from_share(text, teacher, mode="inline")
    assert other.share() == text
    lab.close()
    other.close()


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "not NoneType"),
        ("", "begins with rdskd1:"),
        ("rdskd-lab distill", "begins with rdskd1:"),
        ("rdskd2:rdskd:0:aaaa", "update rdskd-lab"),
        ("rdskd1:rdskd:0:aaaa", "checksum"),
        (signed("rdskd1:rdskd:0:x:y"), "its parts"),
        (signed("rdskd1:gan:0"), "this version has rdskd,"),
        (signed("rdskd1:rdskd:-1"), "its seed"),
        (signed("rdskd1:rdskd:٣"), "its seed"),
        (signed("rdskd1:rdskd:0:act-off"), "a change"),
        (signed("rdskd1:rdskd:0:oh-x1e400"), "a change"),
        (signed("rdskd1:rdskd:0:oh-x999"), "between 0 and 100"),
        (signed("rdskd1:rdskd:0:oh-learns"), "there is not"),
        (signed("rdskd1:rdskd:0:oh-off@9,oh-on@3"), "the order of its steps"),
        (signed("rdskd1:rdskd:0:oh-off@nan"), "a step"),
        (signed("rdskd1:rdskd:0:batch=4096"), "between 1 and 512"),
        (signed("rdskd1:rdskd:0:batch=1.5"), "a setting"),
        (signed("rdskd1:rdskd:0:__class__=1"), "a setting"),
        (signed("rdskd1:rdskd:0:student=eval"), "a setting"),
        (signed("rdskd1:rdskd:0:" + "oh-off," * 20), "checksum"),
    ],
)
def test_a_hostile_string_is_refused_in_a_sentence(text, says):
    with pytest.raises(ShareError, match=says) as error:
        read(text)
    assert "\n" not in str(error.value) and 30 < len(str(error.value)) < 300


def test_what_a_string_may_ask_for_at_the_edge_is_played_or_refused_in_a_sentence():
    ends = "student-learns,oh-x100@1"
    lab = Lab.from_share(signed(f"rdskd1:rdskd:999999999:batch=2,latent=1,width=2,lr=0.0001,{ends}"), mode="inline")
    lab.play(2)
    assert lab.player.reason.startswith("Paused.") and len(lab.record) == 2
    lab.close()
    for wrong, sentence in ("batch=1", "batch_size must be at least 2"), ("lr=0", "lr must be a number above 0"):
        with pytest.raises(ValueError, match=sentence):
            Lab.from_share(signed(f"rdskd1:rdskd:999999999:{wrong},{ends}"), mode="inline")


def test_one_wrong_character_is_noticed():
    text = write(random_recipe(random.Random(1), 4))
    for place in range(len(text)):
        for wrong in "0aZ:-\N{GREEK SMALL LETTER ALPHA}":
            if text[place] != wrong:
                with pytest.raises(ShareError):
                    read(text[:place] + wrong + text[place + 1 :])


def test_mutated_strings_are_read_or_refused_in_a_sentence():
    rng, opened = random.Random(0), 0
    letters = "abcdehilnoprstx0123456789:,.+-@=_'\"(){}\\ \n\0é٣"
    for _ in range(CASES):
        text = write(random_recipe(rng, rng.randrange(8)))
        body = list(text[:-5])
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(body))
            body[place : place + rng.randint(0, 2)] = rng.choice(letters) * rng.choice((0, 1, 1, 2))
        body = "".join(body)
        text = signed(body) if rng.random() < 0.8 else body + text[-5:]  # a stranger can sign what is wrong
        try:
            found = read(text)
        except ShareError as error:
            assert "\n" not in str(error) and len(str(error)) < 300
        else:
            opened += 1
            assert read(write(found)) == found or found.final  # and then it is an experiment like any other
    assert 0.01 * CASES < opened < 0.9 * CASES
