"""The doctor: what it says when something is wrong, what it reads from the system, and what it tells in a bug report."""

import json
import os
import tempfile
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from machines import VERSIONS, WELL
from packaging.requirements import Requirement

from rdskd_lab import cli
from rdskd_lab.datasets import SETS, DataError
from rdskd_lab.datasets.dataset import places
from rdskd_lab.datasets.folder import read_pictures
from rdskd_lab.doctor import facts as looked
from rdskd_lab.doctor import frontend, report
from rdskd_lab.doctor.facts import CORE, RANGES, Facts
from rdskd_lab.doctor.report import FIX, NOTE, OK, diagnose, estimate, fits, write_json, write_page

TOP = Path(__file__).resolve().parents[2]


def without(*names):
    return {name: version for name, version in VERSIONS.items() if name not in names}


# ---- findings --------------------------------------------------------------------------------------------------------


def test_a_machine_that_is_well_has_nothing_to_fix():
    for facts in WELL, replace(WELL, python="3.14.0+"):  # built from what comes after 3.14.0
        assert {finding.level for finding in diagnose(facts)} == {OK}
    assert write_page(WELL).startswith("rdskd-lab doctor: no problems found.")


TROUBLES = [
    ({"gpu": "", "gpu_memory": None}, "GPU", NOTE, "none", "CPU"),
    ({"gpu": "", "front_end": "Colab", "versions": VERSIONS | {"ipywidgets": "7.7.1"}}, "GPU", NOTE, "", "Runtime >"),
    ({"versions": VERSIONS | {"ipywidgets": "7.6.5"}}, "packages", FIX, "ipywidgets 7.6.5", "%pip install"),
    ({"versions": VERSIONS | {"ipywidgets": "9.0.0"}}, "packages", FIX, "ipywidgets 9.0.0", "restart the kernel"),
    ({"versions": VERSIONS | {"jupyterlab_widgets": "1.1.11"}}, "packages", FIX, "1.1.11", '"jupyterlab_widgets==3.*"'),
    ({"front_end": "Colab"}, "packages", FIX, "Colab", '"ipywidgets==7.7.1"'),
    ({"versions": without("ipywidgets")}, "packages", FIX, "ipywidgets is missing", "%pip install"),
    ({"versions": without("plotly"), "front_end": "a terminal"}, "packages", NOTE, "without plotly", '"plotly>=5.24"'),
    ({"versions": VERSIONS | {"ipykernel": "7.0.1"}}, "kernel", FIX, "7.0.1 breaks", "!=7.0.*"),
    ({"versions": VERSIONS | {"ipykernel": "6.0.0"}}, "kernel", FIX, "too old", "%pip install"),
    ({"memory": 10**9}, "memory", FIX, "1.0 GB may be used of the machine's 16.0 GB", "2 GB"),
    ({"memory": None, "machine_memory": 10**9}, "memory", FIX, "1.0 GB", "Colab"),
    ({"memory": None, "machine_memory": None}, "memory", NOTE, "does not say", "2 GB"),
    ({"cores": 0.5}, "cores", NOTE, "0.5", "times"),
    ({"data": WELL.data | {"digits": False}}, "data", FIX, "digits", "--force-reinstall"),
    ({"data": WELL.data | {"mnist": False}}, "data", NOTE, "mnist", "RDSKD_DATA"),
    ({"disk": 0}, "disk", FIX, "the disk is full", "Delete old runs"),
    ({"disk": 10**9}, "disk", NOTE, "little room", "Delete old runs"),
    ({"here_writable": False}, "writing", FIX, "this folder", "--out"),
    ({"home_writable": False}, "writing", FIX, "home folder", "HOME"),
    ({"python": "3.10.2"}, "Python", FIX, "3.11", "Install Python"),
    ({"generator_step": 1.6, "student_step": 0.4}, "training", NOTE, "1.6 s", "Museum()"),
    ({"generator_step": None, "student_step": None, "trouble": "MemoryError"}, "training", FIX, "MemoryError", "Fix"),
]


@pytest.mark.parametrize("change, topic, level, says, cure", TROUBLES)
def test_the_sentence_for_each_trouble_and_its_cure(change, topic, level, says, cure):
    facts = replace(WELL, **change)
    found = {finding.topic: finding for finding in diagnose(facts)}
    assert found[topic].level == level
    assert says in found[topic].says and cure in found[topic].cure
    assert {finding.topic for finding in found.values() if finding.level != OK} == {topic}  # and nothing else is said
    assert found[topic].cure in " ".join(write_page(facts).split())


def test_whatever_is_not_ok_has_a_cure_and_the_page_is_one_screen():
    worst = WELL
    for change, *_ in TROUBLES:
        worst = replace(worst, **change)
    for facts in (WELL, worst):
        lines = write_page(facts).splitlines()
        assert max(map(len, lines)) <= 100 and len(lines) <= 36
        assert all(finding.cure for finding in diagnose(facts) if finding.level != OK)
    assert len(write_page(WELL).splitlines()) <= 16


def test_a_kernel_is_asked_for_with_percent_pip_and_a_terminal_without():
    facts = replace(WELL, versions=VERSIONS | {"ipykernel": "7.0.1"})
    assert "%pip" in write_page(facts) and "%pip" not in write_page(replace(facts, front_end="a terminal"))


def test_without_an_installed_package_nothing_is_said_of_versions(monkeypatch):
    monkeypatch.setattr(report, "RANGES", {})
    (found,) = (finding for finding in diagnose(replace(WELL, versions={})) if finding.topic == "packages")
    assert found.level == NOTE and "pip install" in found.cure


# ---- the mode and the times ------------------------------------------------------------------------------------------


def test_the_mode_is_the_front_ends_until_a_step_takes_more_than_a_second():
    assert [report.choose_mode(replace(WELL, mode=mode)) for mode in frontend.MODES] == list(frontend.MODES)
    assert {report.choose_mode(replace(WELL, generator_step=seconds)) for seconds in (1.01, None)} == {"replay"}
    assert set(report.MODES) == {*frontend.MODES, "replay"}


def test_times_are_steps_times_what_a_step_takes():
    times = estimate(WELL)
    assert times["preset classroom"] == pytest.approx(800 * 0.02 + 4_000 * 0.01)
    course = sum(seconds for name, seconds in times.items() if name.startswith("notebook"))
    page = " ".join(write_page(WELL).split())
    assert "preset classroom about 56 s" in page
    assert f"the whole course about {report.duration(course)};" in page
    unknown = replace(WELL, generator_step=None)
    assert estimate(unknown) == {} and "times" not in write_page(unknown)


def test_every_row_of_work_is_a_preset_or_a_notebook_that_exists():
    numbers = {report.row(path.stem) for path in (TOP / "notebooks").glob("*.ipynb")}
    told = {name for name in report.WORK if name.startswith("notebook")}
    assert told == numbers


@pytest.mark.parametrize(
    "seconds, text", [(0.0123, "12 ms"), (1.6, "1.6 s"), (56.4, "56 s"), (456, "7.6 min"), (20_000, "5.6 h")]
)
def test_times_are_told_in_two_digits(seconds, text):
    assert report.duration(seconds) == text


# ---- versions --------------------------------------------------------------------------------------------------------


def test_ranges_are_those_of_pyproject():
    """Where the installed package is this one: after a change of pyproject.toml, `make env`."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    asked = map(Requirement, project["dependencies"] + project["optional-dependencies"]["lab"])
    assert {r.name: r.specifier for r in asked} == RANGES
    assert set(CORE) == {Requirement(row).name for row in project["dependencies"]}


@pytest.mark.parametrize(
    ("name", "version", "fit"),
    [
        ("torch", "2.14.1+cpu", True),
        ("torch", "2.6.0a0+git", True),
        ("torch", "2.5.1", False),
        ("ipykernel", "7.0.1", False),
        ("ipykernel", "7.1.0", True),
        ("somebody-elses", "0.1", True),
    ],
)
def test_the_numbers_of_a_version_decide_whether_it_fits(name, version, fit):
    assert fits(name, version) is fit


# ---- what is read from the system ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env, modules, name",
    [
        ({}, (), "a terminal"),
        ({"VSCODE_PID": "1"}, (), "a terminal"),
        ({"VSCODE_PID": "1"}, ("ipykernel",), "VS Code"),
        ({"VSCODE_PID": "1", "JPY_SESSION_NAME": "x.ipynb"}, ("ipykernel",), "Jupyter"),
        ({"BINDER_SERVICE_HOST": "1", "JPY_SESSION_NAME": "x.ipynb"}, ("ipykernel",), "Binder"),
        ({}, ("ipykernel",), "a kernel without a page"),
        ({}, ("ipykernel", "google.colab"), "Colab"),
    ],
)
def test_front_ends_are_told_apart(env, modules, name):
    assert frontend.find_front_end(env, modules) == name


def test_a_folder_that_is_a_file_or_missing_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert looked._can_write(tmp_path) and list(tmp_path.iterdir()) == [tmp_path / "file"]  # leaves nothing
    assert not looked._can_write(tmp_path / "file") and not looked._can_write(tmp_path / "missing")
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    assert not looked._can_write(Path("~"))


def test_a_set_is_found_where_rdskd_data_says_and_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr("rdskd_lab.datasets.dataset.CACHE", tmp_path / "cache")
    mnist = SETS["mnist"]
    for place in str(tmp_path / ("x" * 300)), "~nobody of this name/x", str(tmp_path):  # the first cannot be looked at
        monkeypatch.setenv("RDSKD_DATA", place)
        assert not mnist.is_here() and SETS["digits"].is_here()
        with pytest.raises(DataError, match="mnist is not in"):
            read_pictures(mnist, "test", places())
    for name in mnist.files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert mnist.is_here()


# ---- in one piece ----------------------------------------------------------------------------------------------------


def test_a_step_that_fails_leaves_the_rest_of_the_page(monkeypatch):
    def fail():
        raise MemoryError("in /ho" + "me/ada/secret")

    monkeypatch.setattr(looked, "measure", fail)
    facts = looked.look()
    assert (facts.generator_step, facts.student_step, facts.trouble) == (None, None, "MemoryError")
    assert "ada" not in write_json(facts)


def test_the_command_line_prints_the_page_or_json_without_names_or_paths(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(looked, "PATIENCE", 0.4)
    monkeypatch.setenv("RDSKD_DATA", str(tmp_path / "ada"))
    cli.main(["doctor"])
    page = capsys.readouterr().out
    assert page.startswith("rdskd-lab doctor:") and "a generator's step takes" in page
    cli.main(["doctor", "--json"])
    text = capsys.readouterr().out
    told = json.loads(text)
    assert set(told) == {"facts", "findings", "mode", "seconds"}
    assert set(told["facts"]) == {field.name for field in fields(Facts)}
    assert told["facts"]["generator_step"] > 0 and told["facts"]["student_step"] > 0
    for private in (tmp_path, Path.home(), TOP, Path(tempfile.gettempdir())):
        assert str(private) + os.sep not in text + page and str(tmp_path / "ada") not in text + page


def test_a_notebook_that_begins_with_the_doctor_draws_the_same_numbers(monkeypatch):
    monkeypatch.setattr(looked, "PATIENCE", 0)  # as on a machine that takes long over a step
    before = torch.get_rng_state()
    looked.measure()
    assert torch.equal(before, torch.get_rng_state())
