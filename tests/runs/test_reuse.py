"""A run with another one's generator: the student that the other would have trained, and a source that is left alone."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from test_runs import POOLED, STEPS, Stop, content, essence, history, quick

from rdskd_lab.networks.weights import load_weights
from rdskd_lab.runs import reuse
from rdskd_lab.runs.config import NEWER, Config, read_config
from rdskd_lab.runs.execute import execute, prepare
from rdskd_lab.runs.reuse import like
from rdskd_lab.runs.run_folder import RunError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick(monkeypatch.setattr)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run in three states: finished, stopped in its student stage, stopped in its generator stage."""
    base = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched:
        quick(patched.setattr)
        execute(POOLED, base / "finished")
        for name, steps in ("cut", 9), ("early", 3):
            with pytest.raises(KeyboardInterrupt):
                execute(POOLED, base / name, stop=Stop(steps))
    return base


def test_with_the_pool_of_a_stopped_run_the_student_is_the_one_that_it_would_have_trained(runs, tmp_path):
    before = content(runs / "cut")
    result = execute(like(runs / "cut", {}), tmp_path / "b")
    assert essence(tmp_path / "b") == essence(runs / "finished")
    assert content(runs / "cut") == before
    assert result["generator_from"] == {"run": "cut", "images": "its pool"}
    assert result["class_histogram"] == json.loads((runs / "finished/result.json").read_text())["class_histogram"]


def test_of_a_finished_run_the_generator_is_the_same_and_the_student_has_other_settings(runs, tmp_path):
    before = content(runs / "finished")
    config = like(runs / "finished", {"student": "lenet5", "change": (("student_steps", "4"), ("temperature", "2"))})
    result = execute(config, tmp_path / "b")
    assert content(runs / "finished") == before
    assert result["generator_from"]["images"].startswith("fresh") and sum(result["class_histogram"]) == 96
    assert (tmp_path / "b/generator.safetensors").read_bytes() == before["generator.safetensors"]
    facts = json.loads((tmp_path / "b/config.json").read_text())
    assert facts["student_network"] == "lenet5" and facts["settings"]["temperature"] == 2
    assert facts["settings"]["generator_steps"] == 6 and facts["from_run"] == str(runs / "finished")
    rows, there = history(tmp_path / "b"), history(runs / "finished")
    assert rows[:6] == there[:6] and [row["phase"] for row in rows[6:]] == ["distill"] * 4
    with np.load(tmp_path / "b/samples.npz") as ours, np.load(runs / "finished/samples.npz") as theirs:
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs.files)


def test_the_fresh_images_are_those_of_the_generator_in_eval_mode(runs, tmp_path):
    config = like(runs / "finished", {})
    run = prepare(config).run
    load_weights(run.source, runs / "finished/generator.safetensors")
    rng = torch.Generator().manual_seed(5)  # the seed of the run, and 5
    z = torch.cat([run.source.latents(16, rng) for _ in range(6)])
    with torch.no_grad():
        expected = torch.cat([run.source.eval()(part) for part in z.split(16)])
    reuse._fill_pool(run)
    assert run.pool.filled == 96 and torch.equal(run.pool.images, expected.half())


@pytest.mark.parametrize("steps", [0, 3])
def test_it_is_resumed_where_it_was_cut_also_without_its_source(runs, tmp_path, steps):
    source = shutil.copytree(runs / "cut", tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        execute(like(source, {}), tmp_path / "b", stop=Stop(steps))
    shutil.rmtree(source)
    execute(read_config(tmp_path / "b"), tmp_path / "b", resume=True)
    assert essence(tmp_path / "b") == essence(runs / "finished")
    assert json.loads((tmp_path / "b/result.json").read_text())["generator_from"]["run"] == "cut"


def test_killed_before_its_first_save_it_takes_the_generator_again(runs, tmp_path, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    source = shutil.copytree(runs / "cut", tmp_path / "cut")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(reuse, "read_pool", killed)
        execute(like(source, {}), tmp_path / "b")
    assert {path.name for path in (tmp_path / "b").iterdir()} == {"config.json"}
    source.rename(tmp_path / "away")
    with pytest.raises(RunError, match=f"there is no run in {source}"):
        execute(read_config(tmp_path / "b"), tmp_path / "b", resume=True)
    (tmp_path / "away").rename(source)
    execute(read_config(tmp_path / "b"), tmp_path / "b", resume=True)
    assert essence(tmp_path / "b") == essence(runs / "finished")


REFUSED = {
    "another teacher": ({"teacher": "lenet5-half"}, "trained against another teacher"),
    "width": ({"change": (("width", "8"),)}, "width must stay 4, not 8"),
    "steps": ({"change": (("generator_steps", "12"),)}, "generator_steps must stay 6, not 12"),
    "term": ({"off": ("ds",)}, "term ds must stay on, not off"),
    "weight": ({"weight": (("ie", 5.0),)}, "weight of ie must stay 1.0, not 5.0"),
    "anchor": ({"anchor": "average"}, "anchor rule of oh must stay epoch, not average"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_need_another_generator_is_refused_and_nothing_is_left(what, runs, tmp_path):
    given, words = REFUSED[what]
    with pytest.raises(RunError, match=words):
        execute(like(runs / "finished", given), tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


# What config.json says and may be another beside the same generator: the first shows in the settings and terms.
FREE = (
    "format version off weight change anchor strength preset data seed weights mean std student student_network device "
    "folder from_run budget name damped student_steps student_turn student_batch_size student_optimizer student_lr "
    "student_schedule temperature pooled augment reuse procedural bank things strokes balance blend"
).split()


@pytest.mark.parametrize(
    ("takes", "mean", "decide"),
    [("normalised", [], ""), ("pixels", [0.5], "mean std"), ("pixels", [], "mean std data")],
)
def test_what_is_not_known_to_be_the_students_alone_decides_the_generator(takes, mean, decide, runs, tmp_path):
    source, run = shutil.copytree(runs / "finished", tmp_path / "a"), prepare(POOLED).run
    facts = json.loads((source / "config.json").read_text()) | {"takes": takes, "mean": mean, "std": mean}
    for term in facts["terms"].values():
        term["strength"] = 20.0
    (source / "config.json").write_text(json.dumps(facts))
    assert reuse.refuse_misfit(run, facts, source) is None
    for part in facts, facts["teacher"], facts["settings"], *facts["terms"].values():
        for name in [name for name in part if not isinstance(part[name], dict)]:
            free = name in set(FREE) - set(decide.split()) and (name not in ("weight", "strength") or part is facts)
            before, part[name] = part[name], False if part[name] is True else "another"
            with nullcontext() if free else pytest.raises(RunError, match="another|must stay"):
                reuse.refuse_misfit(run, facts, source)
            part[name] = before


@pytest.mark.parametrize("name", NEWER)
def test_a_run_that_is_older_than_a_field_is_read_and_lends_its_generator(name, runs, tmp_path):
    source, run = shutil.copytree(runs / "finished", tmp_path / "a"), prepare(POOLED).run
    facts = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({key: value for key, value in facts.items() if key != name}))
    assert read_config(source) == read_config(runs / "finished")
    assert reuse.refuse_misfit(run, facts, source) is None
    first = "method preset data seed teacher weights student channels size classes mean std off weight anchor change"
    assert {field.name for field in fields(Config)} == {*first.split(), "device", *NEWER}  # of the first of FORMAT 2


def test_a_run_whose_generator_cannot_be_used_is_refused(runs, tmp_path):
    with pytest.raises(RunError, match=r"not finished \(4 of 6 steps\); finish it: rdskd-lab distill --out .*--resume"):
        execute(like(runs / "early", {}), tmp_path / "b")
    with pytest.raises(RunError, match="there is no run in"):
        like(tmp_path, {})
    for name in "samples.npz", "history.csv", "generator.safetensors":
        source = shutil.copytree(runs / "finished", tmp_path / name)
        (source / name).unlink()
        with pytest.raises(RunError, match=f"{source / name} is missing; put it back"):
            execute(like(source, {}), tmp_path / "b")
    whole = (runs / "finished" / "samples.npz").read_bytes()
    (tmp_path / "samples.npz" / "samples.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="samples.npz is damaged .*; put it back"):
        execute(like(tmp_path / "samples.npz", {}), tmp_path / "b")
    sheets = STEPS | {"generator_steps": "8", "sheet_steps": "4", "student_steps": "2"}
    turns = STEPS | {"student_steps": "6", "student_turn": "1"}
    for method, words, change in (
        ("dafl", "trains in turns", turns),
        ("zskd", "has deleted the images", sheets),
        ("noise", "is not trained", STEPS | {"generator_steps": "0"}),
    ):
        source = tmp_path / method
        execute(replace(POOLED, method=method, change=tuple(change.items())), source)
        with pytest.raises(RunError, match=words):
            execute(like(source, {}), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_pool_that_changed_meanwhile_is_refused(runs, tmp_path):
    source = shutil.copytree(runs / "cut", tmp_path / "cut")
    rows = bytearray((source / "pool.images").read_bytes())
    rows[7] ^= 1
    (source / "pool.images").write_bytes(rows)
    with pytest.raises(RunError, match="has changed since"):
        execute(like(source, {}), tmp_path / "b")
