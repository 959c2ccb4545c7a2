"""Slow motion: the stages of the next step tell the truth about it, and looking at them changes nothing."""

import asyncio
import base64
import inspect
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from toys import copied, same  # noqa: F401
from waiting import until

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL  # noqa: E402

from rdskd_lab import losses  # noqa: E402
from rdskd_lab.lab import Lab  # noqa: E402
from rdskd_lab.lab.session.experiment import PLAYABLE  # noqa: E402
from rdskd_lab.lab.widgets.step_inspector import Rehearsal, functions_of, push  # noqa: E402

LOSSES = ["oh: one-hot loss", "ie: information entropy loss", "ds: diversity seeking loss"]
RDSKD = [*"latents generator images teacher".split(), *LOSSES, "sum", "gradients", "step"]


def state(lab) -> tuple:
    """Everything that later steps depend on, and what was recorded."""
    run = lab.experiment.run
    moments = {f"{i} {k}": v for i, s in run.generator_optimizer.state_dict()["state"].items() for k, v in s.items()}
    tensors = copied(run.generator) | copied(run.student) | moments | {"rng": run.rng.get_state()}
    anchors = {name: term.anchor for name, term in lab.experiment.objective.items()}
    return {k: v.clone() for k, v in tensors.items()}, anchors, dict(lab.record.columns), list(lab.record.edits)


def assert_equal(one: tuple, two: tuple) -> None:
    assert one[1:] == two[1:]
    assert same(one[0], two[0])


def run(method: str, act) -> tuple:
    """The state of a lab after 3 steps, `act`, and 2 steps."""
    lab = Lab(method, mode="inline", settings=SMALL, learn=False)
    lab.learn()
    lab.play(3)
    act(lab)
    lab.play(2)
    found = state(lab)
    lab.close()
    return found


def walk(lab) -> None:
    for _ in range(30):
        lab.slow_motion.forward()
        if lab.slow_motion.made:
            return


@pytest.mark.parametrize("method", PLAYABLE)
def test_a_step_in_stages_is_the_step_that_would_have_been_made_at_once(method):
    at_once = run(method, lambda lab: lab.play(1))
    assert_equal(run(method, walk), at_once)
    assert_equal(run(method, lambda lab: list(lab.stages())), at_once)


def test_before_the_last_stage_nothing_moves_and_with_it_one_step_is_made(lab):
    lab.play(3)
    before, seen = state(lab), []
    for _ in range(len(RDSKD) - 1):
        lab.slow_motion.forward()
        seen.append(lab.slow_motion.rehearsal.stages[lab.slow_motion.at].name)
        assert_equal(state(lab), before)
    lab.slow_motion.forward()
    assert [*seen, lab.slow_motion.rehearsal.stages[lab.slow_motion.at].name] == RDSKD
    assert lab.experiment.done == 4
    lab.slow_motion.backward()
    lab.slow_motion.forward()
    assert lab.experiment.done == 4  # looking again makes no other step
    lab.slow_motion.forward()
    assert (lab.slow_motion.at, lab.slow_motion.rehearsal.step.i, lab.experiment.done) == (0, 4, 4)


def test_the_numbers_are_those_of_the_step(lab):
    lab.edit("oh", "rule", "previous")  # its anchor moves at each step
    lab.play(3)
    stages = {stage.name.split(":")[0]: dict(stage.values) for stage in lab.stages()}
    step = {name: column[-1] for name, column in lab.record.columns.items()}
    for name in "oh", "ie":
        assert stages[name]["L"].split()[0] == f"{step[name]:.6g}"
        assert stages[name]["gain exp(L - a)"] == f"{step[f'{name}_gain']:.6g}"
        assert stages[name]["anchor a"] == f"{step[f'{name}_anchor']:.6g}"
    asked = step["oh_gain"] + step["ie_gain"] + step["ds"]
    assert stages["sum"]["total"] == f"{asked:.6g}"
    moved = f"{step['oh_anchor']:.6g} → {step['oh']:.6g}"
    assert stages["step"]["anchor of oh (previous)"] == moved
    weights = lab.experiment.run.generator.project.weight
    assert stages["step"]["project.weight[0]"].split(" → ")[1] == f"{weights.flatten()[0].item():.6g}"
    gradient = {name: p.grad for name, p in lab.experiment.run.generator.named_parameters()}  # that step's
    norm = torch.cat([g.flatten() for g in gradient.values()]).norm().item()
    assert float(stages["gradients"]["norm of g"]) == pytest.approx(norm, rel=1e-5)
    assert stages["gradients"]["at project.weight"].startswith("256 x 16; norm ")
    assert stages["latents"]["z"] == "8 x 16" and stages["images"]["x"] == "8 x 1 x 32 x 32"
    assert stages["teacher"]["t"] == "8 x 10" and stages["generator"]["1. Linear"] == "8 x 256"


def test_an_edit_on_the_way_changes_the_numbers_that_are_shown(lab):
    lab.play(3)
    for _ in range(RDSKD.index("sum") + 1):
        lab.slow_motion.forward()
    before = dict(lab.slow_motion.rehearsal.stages[lab.slow_motion.at].values)
    lab.edit("ie", "on", False)
    after = dict(lab.slow_motion.rehearsal.stages[lab.slow_motion.at].values)
    assert list(before) == ["oh", "ie", "ds", "total"] and list(after) == ["oh", "ds", "total"]
    assert before["oh"] == after["oh"] and "<td>" + after["total"] in lab.slow_motion.html
    assert "w exp(L − a) +" in lab.slow_motion.html
    lab.edit("oh", "strength", 20)
    assert "w exp(b (L − a)) / b +" in lab.slow_motion.html and "as exp(b (L - a)) / b:" in lab.slow_motion.html
    lab.slow_motion.forward()
    lab.slow_motion.forward()
    assert lab.record.column("ie_gain")[-1] == 0 and lab.experiment.done == 4


def test_playing_on_or_a_reset_ends_the_stages(lab):
    lab.slow_motion.forward()
    lab.play(2)
    assert lab.slow_motion.rehearsal is None and lab.slow_motion.html == ""
    lab.slow_motion.forward()
    lab.reset()
    assert lab.slow_motion.rehearsal is None
    lab.slow_motion.forward()
    lab.slow_motion.leave()
    assert lab.slow_motion.rehearsal is None and lab.experiment.done == 0


def test_stages_as_text_of_a_lab_that_moved_on_are_refused(lab):
    stages = lab.stages()
    next(stages)
    lab.play(1)
    with pytest.raises(RuntimeError, match="begin again"):
        list(stages)
    assert lab.experiment.done == 1


def test_the_first_stage_pauses_a_lab_that_plays_and_the_last_makes_one_step():
    async def scene():
        lab = Lab(mode="task", settings=SMALL, learn=False)
        lab.play()
        await until(lambda: lab.experiment.done >= 3)
        lab.slow_motion.forward()
        await asyncio.sleep(0.1)
        assert not lab.player.playing and lab.slow_motion.at == 0 and "in stages" in lab.player.reason
        done = lab.experiment.done
        for _ in range(len(RDSKD) - 1):
            lab.slow_motion.forward()
        await until(lambda: lab.experiment.done > done)
        await asyncio.sleep(0.1)
        assert lab.experiment.done == done + 1 and not lab.player.playing
        assert lab.record.column("oh")[-1] == lab.slow_motion.rehearsal.step.raw["oh"]
        lab.close()

    asyncio.run(scene())


def test_with_everything_off_nothing_is_asked_and_nothing_moves(lab):
    lab.play(1)
    for name in "oh", "ie", "ds":
        lab.edit(name, "on", False)
    stages = {stage.name: dict(stage.values) for stage in lab.stages()}
    assert stages["sum"] == {"total": "0"} and stages["step"]["largest move"] == "0"
    assert stages["oh: one-hot loss"]["goes into the sum"] == "nothing"


def test_a_step_that_the_guard_would_refuse_is_announced_as_such(lab):
    lab.play(1)
    lab.experiment.objective["oh"].anchor = -200.0
    lab.slow_motion.forward()
    assert "The next step cannot be made" in lab.screen.live["reason"] and lab.slow_motion.rehearsal is None
    assert lab.experiment.done == 1


def test_the_functions_of_a_term_are_found():
    terms = PLAYABLE["rdskd"].terms()
    found = {name: functions_of(term.measure) for name, term in terms.items()}
    assert found == {"oh": [losses.one_hot], "ie": [losses.information_entropy], "ds": [losses.diversity_seeking]}
    for method in "dafl", "mskd", "dfad", "rdskd+bn":
        assert all(functions_of(term.measure) for term in PLAYABLE[method].terms().values()), method
    assert functions_of(PLAYABLE["mskd"].terms()["ms"].measure) == [losses.mode_seeking]


@pytest.mark.parametrize("method", PLAYABLE)
def test_each_stage_has_a_formula_and_the_lines_of_the_package_with_the_ones_that_matter_marked(method):
    lab = Lab(method, mode="inline", settings=SMALL, learn=False)
    for stage in Rehearsal(lab.experiment).stages:
        assert stage.formula and stage.values and stage.says
        for (where, lines), function in zip(stage.source(), stage.code, strict=True):
            file = inspect.getsourcefile(function)
            text = [line.strip() for line in open(file).read().splitlines()]
            assert where.split(",")[0].split(".")[-2] in file and all(line.strip() in text for _, line in lines)
        marked = [line for _, lines in stage.source() for on, line in lines if on]
        assert all(any(mark in line for line in marked) for mark in stage.marks if not mark.endswith((":", "="))), stage
    lab.close()


class Reading(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.words = []
        self.feed(text)

    def handle_data(self, data):
        self.words.append(data)


def test_page_and_text_say_the_same(lab):
    lab.play(2)
    lab.slow_motion.forward()
    for stage in lab.slow_motion.rehearsal.stages:
        words = " ".join(Reading(lab.slow_motion.html).words)
        stage = lab.slow_motion.rehearsal.stages[lab.slow_motion.at]
        for what, value in stage.values:
            assert what in str(stage) and value in str(stage)
            assert what in words and value in words
        for _, lines in stage.source():
            assert all(line in str(stage) for _, line in lines)
        if lab.slow_motion.at < len(lab.slow_motion.rehearsal.stages) - 1:
            lab.slow_motion.forward()


def test_the_gradient_at_the_pixels_is_drawn_with_its_sign():
    from PIL import Image

    images, gradient = torch.zeros(8, 1, 4, 4), torch.zeros(8, 1, 4, 4)
    gradient[0, 0, 1, 2], gradient[0, 0, 3, 0] = -2.0, 1.0  # a step against it makes the first brighter
    source = push(images, gradient).split("base64,")[1].split('"')[0]
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))).astype(int)[4:, :4]  # below the first image
    assert np.abs(drawn[1, 2] - (255, 140, 66)).max() <= 9 and np.abs(drawn[3, 0] - (43, 90, 116)).max() <= 9
    drawn[1, 2] = drawn[3, 0] = 0
    assert drawn.max() == 0
