"""One run on disk: what it leaves, and what becomes of it when it is cut, filled up, tampered with or asked nonsense.

Runs are tiny (6 + 8 steps) and save after every step.  A run is really killed: by SIGKILL, in a process of its own.
"""

import csv
import errno
import json
import math
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from pickles import Code
from torch import nn

from rdskd_lab.datasets import load
from rdskd_lab.generator import Generator
from rdskd_lab.methods.rdskd import PRESETS
from rdskd_lab.networks import weights
from rdskd_lab.networks.architectures import LeNet5
from rdskd_lab.networks.foreign import NetworkNote, NetworkWarning
from rdskd_lab.networks.weights import load_weights, save_weights
from rdskd_lab.runs import config as configuration
from rdskd_lab.runs import execute as execution
from rdskd_lab.runs import result as results
from rdskd_lab.runs import run_folder
from rdskd_lab.runs.config import Config, check_same, read_config, resolve
from rdskd_lab.runs.execute import execute
from rdskd_lab.runs.run_folder import RunError, held

STEPS = {"generator_steps": "6", "student_steps": "8", "batch_size": "16", "width": "4", "student_batch_size": "16"}
POOLED = Config(change=tuple(STEPS.items()))  # as the preset classroom: pool, warps, cosine
FRESH = replace(POOLED, preset="paper-mnist")  # as the published one: fresh images, constant rate
OWN = dict(data="none", teacher="rdskd_lab:LeNet5", student="lenet5-half", channels=1, size=32, classes=10)
LEFT = {"config.json", "history.csv", "generator.safetensors", "student.safetensors", "samples.npz", "result.json"}


def few(data, split, **expected):
    return load(data, split, **expected)[:100]


def quick(patch=setattr, save_every=0.0):
    """Let runs in this process save after every step, look at little, and compute in one thread."""
    patch(run_folder, "SAVE_EVERY", save_every)
    patch(execution, "MEASURES", 2)
    patch(results, "SURVEYED", 64)
    patch(configuration, "load", few)
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick(monkeypatch.setattr)


def history(out, without="seconds"):
    """The rows without their seconds, which no two runs share."""
    rows = csv.DictReader((out / "history.csv").read_text().splitlines())
    return [{key: value for key, value in row.items() if key != without} for row in rows]


def essence(out):
    """All that two runs of one configuration must share to the last bit."""
    nets = [(out / name).read_bytes() for name in ("generator.safetensors", "student.safetensors", "samples.npz")]
    return nets, history(out)


def content(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module", params=[POOLED, FRESH], ids=["pooled", "fresh"])
def whole(request, tmp_path_factory):
    """A configuration and its run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patched:
        quick(patched.setattr, save_every=99.0)
        execute(request.param, out)
    return request.param, out


pooled_only = pytest.mark.parametrize("whole", [POOLED], ids=["pooled"], indirect=True)
fresh_only = pytest.mark.parametrize("whole", [FRESH], ids=["fresh"], indirect=True)


class Stop:
    """Asks for a stop after so many steps in all."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self):
        self.left -= 1
        return self.left < 0


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A run that was stopped in its student stage."""
    out = tmp_path_factory.mktemp("cut") / "run"
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        quick(patched.setattr)
        execute(POOLED, out, stop=Stop(9))
    return out


@pytest.fixture
def copy(cut, tmp_path):
    return shutil.copytree(cut, tmp_path / "run")


# ---- what is left --------------------------------------------------------------------------------------------------


def test_a_run_leaves_its_files_and_nothing_else(whole):
    config, out = whole
    assert {path.name for path in out.iterdir()} == LEFT
    assert list(out.parent.iterdir()) == [out]  # and nothing beside it
    result = json.loads((out / "result.json").read_text())
    keys = "method preset seed data test_images teacher_accuracy student_accuracy agreement seconds peak_rss_mb".split()
    assert {*keys, "versions", "class_histogram", "machine"} <= set(result)
    assert set(result["seconds"]) == {"generator", "student", "total"} and result["test_images"] == 100
    assert result["preset"] == config.preset and result["teacher_accuracy"] > 0.98
    with np.load(out / "samples.npz") as samples:
        assert samples["steps"].tolist() == [0, 1, 2, 3, 4, 6] and samples["images"].shape == (6, 40, 1, 32, 32)
    rows = history(out)
    assert [row["phase"] for row in rows] == ["synthesise"] * 6 + ["distill"] * 8
    assert [int(row["step"]) for row in rows] == [*range(6), *range(8)]
    assert [row["step"] for row in rows if row["accuracy"]] == ["3", "7"]  # of the student, twice
    seconds = [float(row["seconds"]) for row in history(out, without="")]
    assert seconds == sorted(seconds) and seconds[-1] == pytest.approx(result["seconds"]["total"], abs=1e-3)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(whole, tmp_path):
    config, out = whole
    execute(config, tmp_path / "again")
    assert essence(tmp_path / "again") == essence(out)
    execute(replace(config, seed=1), tmp_path / "other")
    assert content(tmp_path / "other")["student.safetensors"] != content(out)["student.safetensors"]


def test_terms_are_switched_weighed_and_anchored_as_asked(tmp_path):
    config = replace(POOLED, off=("ds",), weight=(("ie", 5.0),), anchor="previous")
    execute(config, tmp_path / "run")
    facts = json.loads((tmp_path / "run/config.json").read_text())
    asked = {"weight": 5.0, "on": True, "damped": True, "rule": "previous"}
    assert facts["terms"]["ds"]["on"] is False and facts["terms"]["ie"] == asked
    assert facts["settings"]["width"] == 4 and facts["settings"]["student_schedule"] == "cosine"
    rows = [row for row in history(tmp_path / "run") if row["phase"] == "synthesise"]
    assert {row["ds_gain"] for row in rows} == {"0"} and all(float(row["ds"]) > 0 for row in rows)
    assert {row["ie_weight"] for row in rows} == {"5"} and {row["oh_weight"] for row in rows} == {"1"}
    for before, row in zip(rows, rows[1:], strict=False):
        for name in "oh", "ie":
            assert float(row[f"{name}_gain"]) == pytest.approx(math.exp(float(row[name]) - float(before[name])), 1e-5)
    assert read_config(tmp_path / "run") == resolve(config).config


# ---- killed --------------------------------------------------------------------------------------------------------


def break_write(n, strike, patch=setattr):
    """Let the `n`-th write to the folder from now on be half done when `strike` is called.  n = 0: none."""
    add, whole, fsync, number = run_folder.Growing.add, weights.write_whole, os.fsync, count(1)

    def half_add(self, rows, sync=False):
        if next(number) == n:
            rows = bytes(memoryview(rows).cast("B"))
            with open(self.path, "ab") as file:
                file.write(rows[: len(rows) // 2])
                file.flush()
                strike()
        add(self, rows, sync)

    def half_whole(path, content):
        os.fsync = strike if next(number) == n else fsync
        try:
            whole(path, content)
        finally:
            os.fsync = fsync

    patch(run_folder.Growing, "add", half_add)
    for module in run_folder, weights:
        patch(module, "write_whole", half_whole)


def child(config, out, resume, write):
    """In a process of its own: run, and die in the midst of a write."""
    quick()
    sys.stderr = open(os.devnull, "w")
    break_write(write, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    execute(config, out, resume=resume)


def run_and_die(config, out, *, resume=True, write=0):
    """Exit status of a run in a process of its own: -9 if it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rdskd_lab.runs.execute", "torch._dynamo"])  # which any optimiser of torch loads
    process = context.Process(target=child, args=(config, out, resume, write))
    process.start()
    process.join()
    return process.exitcode


needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


# How many writes after its start each process dies.  Pooled, a save is history, images, logits, checkpoint (before it,
# in a new run, config.json); fresh, history and checkpoint.  The last write of all is result.json.
@needs_kill
@pytest.mark.parametrize(
    ("whole", "deaths"), [(POOLED, (2, 5, 3, 27)), (FRESH, (3, 11))], ids=["pooled", "fresh"], indirect=["whole"]
)
def test_a_killed_run_goes_on_to_the_same_bytes(whole, deaths, tmp_path):
    config, straight = whole
    out, resume = tmp_path / "run", False
    for write in deaths:
        assert run_and_die(config, out, resume=resume, write=write) == -signal.SIGKILL
        assert (out / run_folder.LOCK).exists() and not (out / "result.json").exists()  # it did die at work
        resume = True
    execute(read_config(out), out, resume=True)
    assert essence(out) == essence(straight)
    assert {path.name for path in out.iterdir()} == LEFT


@needs_kill
def test_a_cut_student_with_dropout_ends_in_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "make_student", lambda *_: nn.Sequential(nn.Dropout(0.3), LeNet5()))
    for name, steps in ("whole", 99), ("cut", 9):
        with suppress(KeyboardInterrupt):
            execute(POOLED, tmp_path / name, stop=Stop(steps))
    torch.rand(1)  # somebody else's
    execute(POOLED, tmp_path / "cut", resume=True)
    assert essence(tmp_path / "cut") == essence(tmp_path / "whole")


def test_killed_in_its_very_first_write_a_run_leaves_a_folder_that_counts_as_empty(tmp_path):
    assert run_and_die(POOLED, tmp_path / "run", resume=False, write=1) == -signal.SIGKILL
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {run_folder.LOCK, run_folder.HOLDER, next(name for name in names if name.endswith(".part"))}
    with pytest.raises(RunError, match=r"no config\.json"):
        read_config(tmp_path / "run")
    execute(POOLED, tmp_path / "run", stop=Stop(99))
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT


def test_a_stopped_run_goes_on_to_the_same_bytes(whole, tmp_path):
    config, straight = whole
    for steps in 3, 5, 1:
        with pytest.raises(KeyboardInterrupt):
            execute(config, tmp_path / "run", resume=(tmp_path / "run").exists(), stop=Stop(steps))
    execute(config, tmp_path / "run", resume=True)
    assert essence(tmp_path / "run") == essence(straight)


@pooled_only
def test_a_change_of_the_time_of_day_changes_nothing(whole, tmp_path, monkeypatch):
    config, straight = whole
    clock = random.Random(0)
    for name in "time", "time_ns":
        monkeypatch.setattr(time, name, lambda: clock.randrange(-(10**9), 10**9))
    result = execute(config, tmp_path / "run")
    assert essence(tmp_path / "run") == essence(straight)
    assert 0 < result["seconds"]["total"] < 60


@pooled_only
def test_a_finished_run_is_not_done_again_and_is_tidied_up(whole, tmp_path):
    config, straight = whole
    out = shutil.copytree(straight, tmp_path / "run")
    for name in "checkpoint.pt", "pool.images", "pool.logits", ".result.json.1.part":
        (out / name).write_bytes(b"left by a kill between two lines of finish()")
    assert execute(config, out, resume=True) == json.loads((straight / "result.json").read_text())
    assert content(out) == content(straight)


@pooled_only
def test_a_finished_run_whose_result_is_damaged_keeps_its_networks(whole, tmp_path):
    config, straight = whole
    out = shutil.copytree(straight, tmp_path / "run")
    os.truncate(out / "result.json", 99)
    with pytest.raises(RunError, match="result.json is damaged .*rdskd-lab evaluate"):
        execute(config, out, resume=True)
    assert {path.name for path in out.iterdir()} == LEFT


# ---- full disks ----------------------------------------------------------------------------------------------------

WRITES = {"config.json": 1, "history": 2, "images": 7, "logits": 8, "checkpoint": 9, "student": -3, "result": -1}


@pooled_only
@pytest.mark.parametrize("what", WRITES)
def test_a_full_disk_stops_the_run_in_a_sentence_and_it_goes_on(what, whole, tmp_path, monkeypatch):
    config, straight = whole
    total = 1 + 6 * 4 + 1 + 8 * 2 + 1 + 4  # config, saves of each stage and at their ends, four files at the end

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        break_write(WRITES[what] % (total + 1), full, patched.setattr)
        with pytest.raises(RunError, match="the disk is full") as error:
            execute(config, out)
    if what == "config.json":
        assert "nothing was begun" in str(error.value) and not out.exists()
    else:
        said, saved = str(error.value), (out / "checkpoint.pt").exists()
        assert "run again with --resume" in said and ("the last checkpoint is intact" in said) == saved
        assert not (out / "result.json").exists()
        assert not [path for path in out.iterdir() if path.name.startswith(".")]
        execute(config, out, resume=True)
        assert essence(out) == essence(straight)
        assert {path.name for path in out.iterdir()} == LEFT


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting needs root")
@pooled_only
@pytest.mark.parametrize("kilobytes", [4, 200, 900])
def test_a_really_full_disk(kilobytes, whole, tmp_path):
    config, straight = whole
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", tmp_path], stderr=-3).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(RunError, match="the disk is full"):
            execute(config, tmp_path / "run")
        assert kilobytes > 4 or not (tmp_path / "run").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", tmp_path], check=True)
        execute(config, tmp_path / "run", resume=kilobytes > 4)
        assert essence(tmp_path / "run") == essence(straight)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


# ---- two at once ---------------------------------------------------------------------------------------------------


def test_the_second_process_is_told_who_has_the_folder(copy):
    before = content(copy)
    with held(copy):
        for config, resume in (POOLED, False), (read_config(copy), True):
            with pytest.raises(RunError, match=rf"in use by process {os.getpid()} since \d{{4}}-\d\d-\d\d \d\d:\d\d"):
                execute(config, copy, resume=resume)
    assert content(copy) == before
    execute(read_config(copy), copy, resume=True)


def test_a_lock_that_a_killed_process_left_holds_nobody_up(copy):
    (copy / run_folder.LOCK).touch()
    (copy / run_folder.HOLDER).write_text("process 1 since yesterday")
    execute(read_config(copy), copy, resume=True)
    assert {path.name for path in copy.iterdir()} == LEFT


# ---- a folder that is not as it was left ---------------------------------------------------------------------------


def rewrite(path, change):
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, path)


def checkpoint(change):
    return lambda out: rewrite(out / "checkpoint.pt", change)


def cut_to(name, size):
    return lambda out: os.truncate(out / name, size)


def edited(name, old, new):
    def edit(out):
        text = (out / name).read_bytes()
        assert old in text
        (out / name).write_bytes(text.replace(old, new, 1))

    return edit


CASES = {
    "truncated checkpoint": (cut_to("checkpoint.pt", 100_000), "checkpoint.pt is not a whole"),
    "empty checkpoint": (cut_to("checkpoint.pt", 0), "checkpoint.pt is not a whole"),
    "foreign checkpoint": (lambda out: torch.save({"epoch": 3}, out / "checkpoint.pt"), "not a whole .*KeyError"),
    "checkpoint of another format": (checkpoint(lambda c: c.update(format=0, version="0.0.9")), r"0\.0\.9 in format 0"),
    "run of another format": (edited("config.json", b'"format": 2', b'"format": 7'), "config.json .* format 7"),
    "checkpoint of another run": (
        checkpoint(lambda c: c["facts"]["settings"].update(width=8)),
        "checkpoint.pt .*another run.* width is 8 there and 4",
    ),
    "checkpoint without weights": (checkpoint(lambda c: c["state"].pop("student")), "checkpoint.pt is damaged"),
    "checkpoint with weights of another shape": (
        checkpoint(lambda c: c["state"]["student"].update({"fc2.bias": torch.ones(3)})),
        "checkpoint.pt is damaged",
    ),
    "configuration changed by hand": (edited("config.json", b'"seed": 0', b'"seed": 1'), "seed is 0 there and 1"),
    "settings of another version": (edited("config.json", b"10.0", b"4.0"), "temperature is 4.0"),
    "configuration that is no JSON": (cut_to("config.json", 99), "config.json is damaged"),
    "configuration without a seed": (edited("config.json", b'"seed"', b'"sead"'), "config.json is damaged .*'seed'"),
    "pool too short": (cut_to("pool.images", 999), "pool.images has 999 bytes"),
    "pool gone": (lambda out: (out / "pool.logits").unlink(), "pool.logits is missing"),
    "pool changed": (edited("pool.images", b"\x3c", b"\x3d"), "pool.images has changed"),
    "history too short": (cut_to("history.csv", 150), "history.csv has 150 bytes"),
    "torn line in the history": (edited("history.csv", b"\nsynthesise,4,", b"\n"), "history.csv .*bytes"),
    "another number in the history": (edited("history.csv", b"\nsynthesise,3,", b"\nsynthesise,9,"), "has changed"),
    "result that is no JSON": (lambda out: (out / "result.json").write_text("[" * 200_000), "result.json .*--resume"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_or_foreign_folder_is_refused_in_a_sentence_and_left_alone(case, copy):
    damage, sentence = CASES[case]
    damage(copy)
    before = content(copy)
    with pytest.raises(RunError, match=sentence):
        execute(read_config(copy), copy, resume=True)
    after = content(copy)
    assert after.keys() == before.keys()
    assert all(before[name].startswith(after[name]) for name in before)  # at most cut to the checkpoint, as it would be
    assert not (copy / run_folder.LOCK).exists()


def test_a_checkpoint_with_code_in_it_is_not_executed(copy, tmp_path):
    for write in (torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))):
        write({"format": run_folder.FORMAT, "version": Code(tmp_path / "ran")}, copy / "checkpoint.pt")
        with pytest.raises(RunError, match="is not a whole checkpoint"):
            execute(read_config(copy), copy, resume=True)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_whose_tensors_say_cuda_goes_on_on_the_cpu(copy, tmp_path, monkeypatch):
    other = shutil.copytree(copy, tmp_path / "other")
    with monkeypatch.context() as patched:
        patched.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        rewrite(other / "checkpoint.pt", lambda checkpoint: None)
    assert b"cuda:0" in (other / "checkpoint.pt").read_bytes()
    for out in copy, other:
        execute(read_config(out), out, resume=True)
    assert essence(other) == essence(copy)


@pytest.mark.gpu
def test_a_run_begun_on_a_gpu_goes_on_on_the_cpu(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        execute(replace(POOLED, device="cuda"), tmp_path / "run", stop=Stop(9))
    execute(replace(POOLED, device="cpu"), tmp_path / "run", resume=True)
    assert len(history(tmp_path / "run")) == 14


def test_a_run_whose_teacher_changed_meanwhile_is_refused(tmp_path):
    config = replace(POOLED, teacher=str(tmp_path / "teacher.safetensors"))
    net = load_weights(LeNet5(), "lenet5")
    save_weights(net, config.teacher)
    with pytest.raises(KeyboardInterrupt):
        execute(config, tmp_path / "run", stop=Stop(2))
    with torch.no_grad():
        net.fc2.bias += 1
    save_weights(net, config.teacher)
    with pytest.raises(RunError, match="teacher sha256 is"):
        execute(config, tmp_path / "run", resume=True)


def test_another_network_of_the_same_factory_is_refused_and_paths_are_whole(tmp_path, monkeypatch):
    (tmp_path / "ours.py").write_text(
        "from pathlib import Path\nfrom rdskd_lab import LeNet5, load_weights\n"
        "def make():\n    net = load_weights(LeNet5(), 'lenet5')\n"
        "    net.fc2.bias.data += Path('ours.txt').exists()\n    return net\n"
    )
    monkeypatch.chdir(tmp_path)
    shape = dict(channels=1, size=32, classes=10, mean=(0.1307,), std=(0.3081,))
    config = replace(POOLED, teacher="ours:make", student="lenet5-half", **shape)
    with pytest.raises(KeyboardInterrupt):
        execute(config, tmp_path / "run", stop=Stop(2))
    assert read_config(tmp_path / "run").folder == str(tmp_path)
    (tmp_path / "ours.txt").touch()
    with pytest.raises(RunError, match="teacher sha256 is"):
        execute(read_config(tmp_path / "run"), tmp_path / "run", resume=True)


@pytest.mark.parametrize(("mean", "std"), [((), ()), ((0.9,), ()), ((0.1307,), (0.3081,))])
def test_without_data_what_takes_pixels_sees_them_as_the_given_mean_and_std_say(mean, std):
    setup = resolve(Config(data="none", takes="pixels", mean=mean, std=std))
    test = setup.load("test")
    pixels = test.images[:100] / 255
    usual = pytest.approx(test.images.double().mean().item() / 255, abs=1e-3), pytest.approx(0.309, abs=1e-3)
    assert (test.mean, test.std) == (mean or (usual[0],), std or (usual[1],))
    made = torch.randn(100, 1, 32, 32)  # as a generator's
    net = setup.networks(test)[0].eval()
    assert torch.allclose(net(test.normalise(test.images[:100])), net.net(pixels), atol=1e-3)
    assert torch.allclose(net(made), net.net(made * test.std[0] + test.mean[0]), atol=1e-3)
    assert resolve(Config(data="none", size=16)).load("test").images.shape[2:] == (16, 16)  # which no LeNet-5 takes


def test_without_data_the_result_is_agreement_and_nothing_real_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "load", None)  # which reads pictures
    found = execute(replace(POOLED, **OWN | {"data": "", "weights": "lenet5"}), tmp_path / "run")
    assert read_config(tmp_path / "run").data == found["data"] == "none"
    for name in "generated", "procedural", "noise":
        made = found["without_data"][name]
        assert 0 <= made["agreement"] <= 1 and len(made["by_class"]) == 10 and made["images"] >= 1000
    assert found["student_accuracy"] is found["teacher_accuracy"] is found["per_class_recall"] is None
    assert found["agreement"] == found["without_data"]["procedural"]["agreement"]
    with pytest.raises(RunError, match="learns from real images"):
        bare = {**STEPS, "generator_steps": "0"}
        execute(replace(POOLED, data="none", method="real", change=tuple(bare.items())), tmp_path / "real")


# ---- what is refused before it begins ------------------------------------------------------------------------------

SHARES = dict(procedural="1.5", things="2", strokes="-1", balance="nan", blend="-0.1")
REFUSED = {
    **{f"{name}={value}": (None, f"{name} must be from 0 to 1, not {float(value)}") for name, value in SHARES.items()},
    "preset": ({"preset": "clasroom"}, "no preset 'clasroom'; .*Did you mean 'classroom'"),
    "method": ({"method": "rdsk"}, "no method 'rdsk'; .* Did you mean 'rdskd'"),
    "term off": ({"off": ("de",)}, "no term 'de'; there are oh, ie, ds"),
    "term weighed": ({"weight": (("xx", 1.0),)}, "no term 'xx'"),
    "weight": ({"weight": (("ie", math.inf),)}, "weight of ie must be a finite number, not inf"),
    "anchor": ({"anchor": "epochs"}, "no anchor rule 'epochs'.*epoch, previous, average, none"),
    "data": ({"data": "digit"}, "No data 'digit'"),
    "seed": ({"seed": -1}, "the seed must be from 0"),
    "device": ({"device": "warp"}, "device 'warp'"),
    "a control": ({"method": "noise"}, "generator_steps must be 0 .*, not 6"),
    "teacher": ({"teacher": "lenet6"}, "no weights file lenet6; .*lenet5"),
    "no teacher": ({"data": "cifar10"}, "no teacher for cifar10 .*--teacher"),
    "own teacher": (
        {"teacher": "json:loads", "size": 28},
        "json:loads is unknown; give --channels, --classes, --mean, --std",
    ),
    "widht=4": (None, "no setting 'widht'; .*Did you mean 'width'"),
    "width=x": (None, "width takes a whole number, not 'x'"),
    "width=1": (None, "width must be at least 2, not 1"),
    "lr=x": (None, "lr takes a number, not 'x'"),
    "lr=nan": (None, "lr must be a number above 0, not nan"),
    "student_lr=inf": (None, "student_lr must be a number above 0"),
    "temperature=0": (None, "temperature must be a number above 0"),
    "augment=-1": (None, "augment must be at least 0, not -1"),
    "pooled=maybe": (None, "pooled takes true or false, not 'maybe'"),
    "generator_steps=0": (None, "generator_steps must be at least 1, not 0"),
    "student_steps=-3": (None, "student_steps must be at least 1, not -3"),
    "batch_size=15": (None, "batch_size must be even.* 15"),
    "student_batch_size=97": (None, "student_batch_size must not exceed the pool's 96, not 97"),
    "student_schedule=line": (None, "no student_schedule 'line'; there are constant, cosine"),
    "bank=0": (None, "bank must be at least 1, not 0"),
    "mixed afresh": ({"preset": "paper-mnist", "change": (("blend", "0.1"),)}, "need pooled images; add pooled=true"),
    "std": ({**OWN, "std": (0.3, 0.3)}, r"give 1 number.* per channel, not \(0\.5\d*,\) and \(0\.3, 0\.3\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_run_is_refused_before_anything_is_written(case, tmp_path):
    changes, sentence = REFUSED[case]
    changes = changes or {"change": (*POOLED.change, tuple(case.split("=")))}
    with pytest.raises(ValueError, match=sentence):
        execute(replace(POOLED, **changes), tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "given", "teacher"),
    [("rdskd", "", "lenet5"), ("deepinversion", "", "lenet5-bn"), ("rdskd+bn", "", "lenet5-bn"), ("dafl", "a", "a")],
)
def test_a_method_that_matches_statistics_takes_the_shipped_teacher_that_has_some(method, given, teacher):
    assert resolve(Config(method=method, teacher=given)).config.teacher == teacher


BEGUN = replace(POOLED, seed=3, teacher="lenet5", off=("ds",), weight=(("ie", 5.0),))
SAME = {"seed": 3, "preset": "classroom", "teacher": "lenet5", "off": ("ds",)}
SAME |= {"weight": (("ie", 5.0), ("oh", 1.0)), "change": (("width", "4"), ("temperature", "10"))}
OTHER = {"seed": (4, "--seed 3.* 4"), "preset": ("long", "--preset classroom.* long"), "off": (("ie",), "--off ie")}
OTHER |= {"weight": ((("ie", 4.0),), "ie = 5.0.* 4.0"), "change": ((("width", "8"),), "width = 4.* 8")}


def test_what_a_run_was_started_with_may_be_said_again_in_full_or_in_part():
    check_same(BEGUN, SAME)
    for name, value in SAME.items():
        check_same(BEGUN, {name: value})


@pytest.mark.parametrize("name", OTHER)
def test_what_differs_is_refused_with_both_values(name):
    value, sentence = OTHER[name]
    with pytest.raises(RunError, match=sentence):
        check_same(BEGUN, SAME | {name: value})


def test_a_changed_setting_is_judged_with_all_the_others():
    """One by one, a batch of 128 would be drawn from a pool of 96."""
    wanted = replace(PRESETS["classroom"], **{name: int(value) for name, value in STEPS.items()})
    assert resolve(POOLED).settings == wanted
    assert resolve(replace(POOLED, change=(*POOLED.change, ("pooled", "FALSE")))).settings.pooled is False


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(RunError, match="is not empty; give another --out, or --resume"):
        execute(POOLED, tmp_path)
    assert content(tmp_path) == {"thesis.txt": b"dear"}


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/rdskd/run"])
def test_a_folder_that_cannot_be_made_is_refused(where, tmp_path):
    if where.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    (tmp_path / "file").write_text("dear")
    with pytest.raises(RunError, match=r"cannot write in .*; give another --out"):
        execute(POOLED, tmp_path / where)
    assert content(tmp_path) == {"file": b"dear"}


# ---- what goes wrong while it runs ---------------------------------------------------------------------------------


def test_a_value_that_is_not_finite_stops_the_run_names_the_term_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    sample, number = Generator.sample, count()

    def poisoned(self, *args):
        batch = sample(self, *args)
        return replace(batch, images=batch.images * (math.nan if next(number) == 3 else 1))

    monkeypatch.setattr(run_folder, "SAVE_EVERY", 99.0)
    with monkeypatch.context() as patched:
        patched.setattr(execution, "check_memory", lambda run: None)  # which samples too
        patched.setattr(Generator, "sample", poisoned)
        with pytest.raises(FloatingPointError, match="synthesise step 3: the value of term 'oh' is nan"):
            execute(POOLED, tmp_path / "run")
    assert [row["step"] for row in history(tmp_path / "run")] == ["0", "1", "2"]  # to be looked at
    execute(POOLED, tmp_path / "run", resume=True)
    assert len(history(tmp_path / "run")) == 14


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 12"), torch.OutOfMemoryError("CUDA")],
    ids=["python", "cpu", "cuda"],
)
def test_out_of_memory_names_the_setting_to_lower(error, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Generator, "sample", refuse)
        with pytest.raises(RunError, match="out of memory for a step, .* lower batch_size or width"):
            execute(POOLED, tmp_path / "run")
    monkeypatch.setattr(execution, "check_memory", lambda run: None)
    for owner, name, sentence in (
        (execution, "Distillation", "the images that the student will .* lower generator_steps or batch_size"),
        (Generator, "sample", "the generator stage: .* lower batch_size or width .*--resume"),
        (execution, "class_histogram", "what comes after a stage: .* lower student_batch_size .*--resume"),
        (execution.Distillation, "batches", "the student stage: .* lower student_batch_size .*--resume"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, refuse)
            with pytest.raises(RunError, match=f"out of memory for {sentence}"):
                execute(POOLED, tmp_path / "run", resume=(tmp_path / "run").exists())
    execute(POOLED, tmp_path / "run", resume=True)


def test_another_runtime_error_is_not_taken_for_want_of_memory(tmp_path, monkeypatch):
    def broken(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Generator, "sample", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        execute(POOLED, tmp_path / "run")


# ---- a generator that collapses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "missing"),
    [
        ([100] * 10, ""),
        ([0, 0, 125, 125, 125, 125, 125, 125, 125, 125], ""),  # two of ten: a fifth, not more
        ([0, 9, 9, 139, 139, 139, 139, 139, 139, 148], "0, 1, 2"),  # 1 % of 1,000 images is 10
        ([10, 10, 10, 970], "0, 1, 2"),  # four classes: a tenth of an even share is 25
        ([1000, 0], "1"),
    ],
)
def test_missing_classes_are_told_with_the_histogram(counts, missing, capsys):
    classes = tuple(map(str, range(len(counts))))
    results.warn_of_collapse(torch.tensor(counts), classes)
    said = capsys.readouterr().err
    if not missing:
        assert said == ""
    else:
        assert said.count("\n") == 1 and f"collapsed: {missing} are hardly" in said
        assert all(f"{name}: {n:,}" in said for name, n in zip(classes, counts, strict=True))


@fresh_only
def test_a_collapse_is_told_between_the_stages_and_looking_changes_nothing(whole, tmp_path, monkeypatch, capsys):
    config, straight = whole
    seen = []
    monkeypatch.setattr(execution, "warn_of_collapse", lambda histogram, classes: seen.append(histogram))
    result = execute(config, tmp_path / "run")
    assert len(seen) == 1 and seen[0].tolist() == result["class_histogram"] and seen[0].sum() == 64
    for module in execution, results:
        monkeypatch.setattr(module, "class_histogram", lambda run: torch.ones(run.classes))
    execute(config, tmp_path / "unseen")
    assert essence(tmp_path / "run") == essence(tmp_path / "unseen") == essence(straight)


def test_a_teacher_near_chance_is_told_before_anything_is_trained():
    test = load("digits", "test")
    with pytest.warns(
        NetworkWarning, match=r"right on \d.*chance is 10.0%.*order of the classes \(0, 1, 2, 3, 4, \.\.\.\)"
    ):
        execution.tell_accuracy(LeNet5(), test, False)
    with pytest.warns(NetworkNote, match=r"right on 9\d.\d% of 1,000 real images; .*in order: 0, 1"):
        execution.tell_accuracy(load_weights(LeNet5(), "lenet5"), test, True)
    with warnings.catch_warnings(action="error"):
        execution.tell_accuracy(load_weights(LeNet5(), "lenet5"), test, False)


def test_a_first_test_that_fails_leaves_nothing_and_a_resumed_run_is_not_tested_again(copy, tmp_path, monkeypatch):
    def fails(teacher, split, always):
        raise RunError("a network failed in the first test")

    monkeypatch.setattr(execution, "tell_accuracy", fails)
    with pytest.raises(RunError, match="first test"):
        execute(POOLED, tmp_path / "new")
    assert not (tmp_path / "new").exists() or not any((tmp_path / "new").iterdir())
    assert execute(POOLED, copy, resume=True)["student_accuracy"] >= 0
