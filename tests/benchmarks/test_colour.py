"""The colour benchmarks: no photo chooses and is reported, and looks see no reported image."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "colour"))
import colour_networks
import colour_runs
import colour_sets
import damping_cell

from rdskd_lab.datasets import SETS, DataError
from rdskd_lab.datasets.dataset import find, places
from rdskd_lab.networks.architectures import WideResNet
from rdskd_lab.runs.compare import append_row
from rdskd_lab.runs.config import Config
from rdskd_lab.runs.run_folder import read_json
from rdskd_lab.torch_state import seeded


@pytest.fixture
def sets():
    with patch.dict(SETS):
        colour_sets.register()
        yield SETS


def test_whole_photos_choose_and_about_two_thousand_images_do():
    house = torch.arange(9_000) // 3 % 2_500
    choose = colour_sets.divide(house)
    assert not set(house[choose].tolist()) & set(house[~choose].tolist())
    assert 2_000 <= int(choose.sum()) < 2_000 + 6 and choose.equal(colour_sets.divide(house))
    assert colour_sets.divide(house.flip(0)).flip(0).equal(choose)  # decided by the photo, not by the place


@pytest.mark.skipif(find((colour_sets.FILE,), places()) is None, reason=f"needs {colour_sets.FILE} in RDSKD_DATA")
def test_svhn_is_divided_by_photo_and_a_look_sees_no_reported_image(sets):
    (tune, of_tune), (test, of_test) = (colour_sets.read_svhn(split, places()) for split in ("tune", "test"))
    assert (len(tune.labels), len(test.labels)) == (2_001, 7_999)
    assert not set(of_tune.tolist()) & set(of_test.tolist())
    look = sets["svhn-look"].read("test", places())
    assert look.images.equal(tune.images) and look.labels.equal(tune.labels)
    with pytest.raises(DataError, match="not to be trained on"):
        sets["svhn-8000"].read("train", places())


def test_a_network_in_bfloat16_is_itself_when_it_is_tested_and_its_weights_stay_float32(monkeypatch):
    monkeypatch.setattr(colour_networks, "QUICK", True)
    net = seeded(0, WideResNet, 16, 1)
    quick, images = colour_networks.Bfloat16(net), seeded(1, torch.randn, 4, 3, 32, 32)
    assert torch.allclose(quick.eval()(images), net(images), atol=1e-5)
    plain, rounded = net.train()(images), quick.train()(images)
    assert rounded.dtype is torch.float32 and 0 < (plain - rounded).abs().max() < 0.1 * plain.abs().max()
    rounded.square().mean().backward()
    assert all(p.grad.dtype is torch.float32 and p.grad.isfinite().all() for p in net.parameters())
    monkeypatch.setattr(colour_networks, "QUICK", False)  # a CPU that would emulate bfloat16
    assert torch.allclose(quick(images), plain, atol=1e-4)


def test_a_change_is_of_settings_and_of_weights(sets):
    config = colour_runs.configure("svhn-look", "rdskd+bn", 10, "width=32,w:bn=0.3")
    assert config.change == (("width", "32"),) and config.weight == (("bn", 0.3),) and config.data == "svhn-look"


def test_of_the_damping_cells_four_verdicts_one_holds_and_a_run_that_ended_early_counts_for_none(tmp_path, monkeypatch):
    before = damping_cell.verdicts(damping_cell.rows())
    (held,) = [v for v in before if v.verdict == "holds"]
    assert "F of oh" in held.claim and "b = 20" in held.claim and round(held.estimate, 3) == 0.281
    monkeypatch.setattr(damping_cell, "TABLE", Path(shutil.copy(damping_cell.TABLE, tmp_path)))
    monkeypatch.setattr(damping_cell, "configure", lambda *_: Config())  # reads no data
    monkeypatch.setattr(damping_cell.Measure, "__call__", lambda *_: {"outcome": "synthesise step 3: oh is nan."})
    for arm in damping_cell.ARMS:
        append_row(damping_cell.TABLE, damping_cell.measure(arm, 999))
    assert len(damping_cell.rows()) == 18 and damping_cell.verdicts(damping_cell.rows()) == before


def test_a_run_that_ended_before_its_first_checkpoint_goes_on_and_all_its_seconds_are_kept(tmp_path, monkeypatch):
    few = dict(generator_steps=4, batch_size=8, student_steps=2, student_batch_size=8, width=4)
    config = Config(data="digits", change=tuple((name, str(n)) for name, n in few.items()))
    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(colour_runs.Clock, "count", lambda *_: sys.exit())
        colour_runs.run(config, tmp_path / "one")
    assert not (tmp_path / "one" / "checkpoint.pt").exists()
    result = colour_runs.run(config, tmp_path / "one")
    assert result["cpu"] == read_json(tmp_path / "one.cpu.json") and min(result["cpu"].values()) > 0


def test_a_wheel_that_is_not_the_expected_file_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(colour_sets, "KEPT", tmp_path)
    with zipfile.ZipFile(tmp_path / "ccexam-1.0.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(colour_sets.WEIGHTS, "other weights")
    with pytest.raises(DataError, match="not the file that was expected"):
        colour_sets.fetch()


def test_the_command_in_a_fresh_teachers_weights_makes_that_teacher(tmp_path):
    code = "import fresh, sys; fresh.make = sys.exit; fresh.T.PLACE = sys.argv[1]; fresh.main('no-convolution')"
    where = Path(colour_sets.__file__).parents[1] / "any_teacher"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=where, capture_output=True, text=True)
    assert done.stderr == "no-convolution\n"
