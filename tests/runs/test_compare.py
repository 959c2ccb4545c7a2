"""`rdskd-lab compare`: budgets, ordinary runs, nothing done twice, one CSV, one page."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from waiting import wait_for

from rdskd_lab import cli
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.reporting.charts import Samples
from rdskd_lab.reporting.comparison_chart import Standing, Standings, right
from rdskd_lab.runs import compare as C
from rdskd_lab.runs import comparison_page as P
from rdskd_lab.runs.config import Config, read_config, resolve
from rdskd_lab.runs.execute import execute
from rdskd_lab.runs.run_folder import RunError

FEW = {"width": "4", "student_batch_size": "8"}
STEPS = {"generator_steps": 4, "student_steps": 6}


@pytest.fixture
def quick(monkeypatch):
    """Runs in this process; each is counted."""
    done = []

    def here(config, place):
        done.append(place.name)
        execute(config, place, also=C.look)

    monkeypatch.setattr(C, "_in_its_own_process", here)
    none = STEPS | {"generator_steps": 0}
    monkeypatch.setattr(C, "fitted", lambda config, _: STEPS if METHODS[config.method].terms() else none)
    return done


def plan(**changes):
    base = Config(change=tuple(FEW.items()))
    return replace(C.Plan(("rdskd", "noise", "rdskd+bn"), (0, 1), 60.0, base), **changes)


def test_curves_over_time_leave_out_who_may_have_learned_from_these_images(tmp_path, quick):
    list(C.compare(plan(methods=("rdskd", "real"), seeds=(0,)), tmp_path))
    rows = list(csv.DictReader((tmp_path / "compare.csv").read_text().splitlines()))
    assert [line.label for line in P.curves(tmp_path, rows).lines] == ["rdskd"]
    page = (tmp_path / "compare.html").read_text()
    assert "Controls with real images are left out" in page and "One seed, so no spread" in page
    list(C.compare(plan(methods=("real",), seeds=(0,)), tmp_path))
    assert "How fast" not in (tmp_path / "compare.html").read_text()


def test_methods_times_seeds_become_runs_a_table_and_a_page_and_nothing_is_done_twice(tmp_path, quick):
    said = list(C.compare(plan(), tmp_path))
    names = ["rdskd-0", "rdskd-1", "noise-0", "noise-1", "rdskd+bn-0", "rdskd+bn-1"]
    assert quick == names and len(said) == 9
    rows = list(csv.DictReader((tmp_path / "compare.csv").read_text().splitlines()))
    assert [f"{r['method']}-{r['seed']}" for r in rows] == names
    assert [r["teacher"] for r in rows] == ["lenet5"] * 4 + ["lenet5-bn"] * 2
    assert {r["budget"] for r in rows} == {"60s"} and {r["real_images"] for r in rows} == {"0"}
    assert [int(r["generator_steps"]) for r in rows] == [4, 4, 0, 0, 4, 4]
    found = json.loads((tmp_path / "noise-1" / "result.json").read_text())
    assert float(rows[3]["student_accuracy"]) == pytest.approx(found["student_accuracy"], rel=1e-5)
    facts = json.loads((tmp_path / "rdskd-0" / "config.json").read_text())
    assert facts["budget"] == "60s" and facts["settings"]["student_steps"] == 6
    assert read_config(tmp_path / "rdskd-0").budget == "60s"
    page = (tmp_path / "compare.html").read_text()
    for text in ("rdskd+bn", "Gaussian noise", "lenet5-bn", "60 seconds a run", "±"):
        assert text in page
    assert all(float(r["distance"]) > 0 and float(r["feature_distance"]) > 0 for r in rows)
    assert {r["teacher_fid"] != "" for r in rows} == {find_spec("torchmetrics") is not None}
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
    before = (tmp_path / "compare.csv").read_bytes()
    list(C.compare(plan(), tmp_path))
    assert quick == names and (tmp_path / "compare.csv").read_bytes() == before
    list(C.compare(plan(methods=("rdskd",), seeds=(0, 1, 2)), tmp_path))  # more of the same goes into the same folder
    assert quick == [*names, "rdskd-2"]
    with pytest.raises(RunError, match="rdskd-0 holds a run of another plan"):
        list(C.compare(plan(base=Config(change=(("width", "6"),))), tmp_path))


def test_a_mistake_is_told_before_anything_is_run(tmp_path, quick):
    for changes, sentence in (
        ({"methods": ("rdskd", "dalf")}, "no method 'dalf'.*Did you mean 'dafl'"),
        ({"base": Config(preset="long"), "methods": ("dafl",)}, "no preset 'long'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            list(C.compare(plan(**changes), tmp_path / "new"))
    assert quick == [] and not (tmp_path / "new").exists()


def test_the_mean_and_the_standard_deviation_are_over_seeds():
    rows = [
        dict.fromkeys(C.COLUMNS, 1) | {"method": m, "student_accuracy": a, "seconds": s, "peak_rss_mb": s}
        for m, a, s in (("a", 0.5, 1), ("a", 0.6, 2), ("a", 0.7, 6), ("b", 0.9, 5))
    ]
    best, other = P.summary(rows)
    assert best[:2] == ["b", "90.00"] and other[:2] == ["a", "60.00 ± 10.00"] and other[3:5] == ["3", "6"]


def test_what_a_method_asked_for_is_told_with_the_weights_of_its_run():
    told = P.losses_in_words(Config(method="dafl", weight=(("act", 0.03),), off=("ie",)))
    assert told.startswith("1 × one-hot loss") and "0.03 × activation" in told and "entropy" not in told


def test_steps_are_timed_once_for_all_that_decides_the_time(tmp_path, monkeypatch):
    timed = []
    monkeypatch.setattr(C, "find_device", str)
    monkeypatch.setattr(C, "fitted", lambda config, budget: timed.append(config) or {"student_steps": len(timed)})
    (tmp_path / "plan.json").write_text(json.dumps({"rdskd 60": STEPS}))  # as an older version wrote it
    others = dict(preset="long", data="mnist", teacher="wrn-16-2", weights="w.safetensors", device="cuda")
    for n, change in enumerate([{}, *({name: value} for name, value in others.items())], 1):
        for seeds in (0, 1), (5,):
            steps = C._budgets(plan(methods=("rdskd",), seeds=seeds, base=replace(Config(), **change)), tmp_path)
            assert steps == {"rdskd": {"student_steps": n}} and len(timed) == n


@pytest.mark.parametrize(("text", "value"), [("60s", 60), ("2m", 120), ("1.5h", 5400), ("", 0)])
def test_a_budget_is_read(text, value):
    assert C.seconds(text) == value


@pytest.mark.parametrize("text", ["60", "s", "-3s", "0s", "6d", "nans"])
def test_a_budget_that_is_none_is_refused(text):
    with pytest.raises(RunError, match="a budget"):
        C.seconds(text)


@pytest.mark.parametrize("name", METHODS)
def test_a_budget_scales_both_stages_alike_and_keeps_their_turns(name, monkeypatch):
    monkeypatch.setattr(C, "pace", lambda config: {"synthesise": 0.01, "distill": 0.02})
    config = replace(Config(), method=name)
    s = resolve(config).settings
    whole = s.generator_steps * 0.01 + s.student_steps * 0.02
    steps = C.fitted(config, whole / 2)
    changed = resolve(replace(config, change=tuple((k, str(v)) for k, v in steps.items()))).settings
    assert changed.student_steps == s.student_steps // 2 and changed.generator_steps == s.generator_steps // 2
    assert list(METHODS[name].turns(changed)).count("distill") == changed.student_steps


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_pace_is_measured_for_every_method(name):
    config = C.Plan().config(name, 0)
    found = C.pace(config)
    assert found["distill"] > 0 and (found["synthesise"] > 0) == bool(METHODS[name].terms())


def test_on_the_command_line_a_run_has_a_process_of_its_own(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(C, "fitted", lambda config, budget: {"generator_steps": 0, "student_steps": 2})
    cli.main(["compare", "--methods", "noise", "--seeds", "0", "--budget", "1s", "--out", str(tmp_path)])
    out, _ = capfd.readouterr()
    assert out.startswith("noise-0: ") and (tmp_path / "noise-0" / "result.json").exists()
    cli.main(["compare", "--methods", "noise", "--seeds", "0", "--budget", "1s", "--out", str(tmp_path)])


GO = f"""
import sys
from rdskd_lab.runs import compare as C
from rdskd_lab.runs.config import Config
base = Config(change={tuple(FEW.items())!r} + (("generator_steps", "300"), ("student_steps", "300")))
if __name__ == "__main__":
    for line in C.compare(C.Plan(("rdskd", "rdskd+bn"), (0, 1), 0.0, base), sys.argv[1]):
        print(line, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.timeout(600)
def test_a_comparison_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    (tmp_path / "go.py").write_text(GO)

    def start(out):
        command = [sys.executable, str(tmp_path / "go.py"), str(out)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)

    whole, _ = start(tmp_path / "whole").communicate()
    assert whole.count(" after ") == 4
    kills, out = 0, tmp_path / "cut"
    for name in ("rdskd-0/checkpoint.pt", "rdskd-1/config.json", "rdskd+bn-0/history.csv"):
        process = start(out)
        wait_for(lambda: (out / name).exists() or process.poll() is not None, 180, 0.01)  # noqa: B023
        if process.poll() is None:  # the comparison and the run that it is waiting for
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills == 3
    finished = {p: p.stat().st_mtime_ns for p in out.glob("*/result.json")}
    assert finished
    start(out).communicate()
    assert all(p.stat().st_mtime_ns == at for p, at in finished.items())
    a, b = (
        [r | dict.fromkeys(("seconds", "peak_rss_mb")) for r in C.read_table(place / "compare.csv")]
        for place in (tmp_path / "whole", out)
    )
    assert len(a) == 4 and a == b


def standing(name, accuracy, labels=(0, 1, 1), **more):
    images = np.stack([np.full((1, 2, 2), 10 * (i + 1), np.uint8) for i in range(len(labels))])[None]
    confidence = np.array([[0.5, 0.6, 0.9]], np.float32)
    shown = Samples(np.array([7]), images, np.array([labels]), confidence, ["a", "b", "c"])
    return Standing(name, np.array(accuracy, float), shown, **more)


def test_standings_are_best_first_and_say_their_spread():
    chart = Standings(
        "three", [standing("low", [50, 70]), standing("high", [98.0]), standing("mid", [90, 92], control=True)]
    )
    assert [r.name for r in chart.rows] == ["high", "mid", "low"]
    assert chart.label(chart.rows[0]) == "98.00 %" and chart.label(chart.rows[2]) == "60.00 ± 14.14 %"
    words = chart.alt_text()
    assert words.index("high 98.00 %") < words.index("mid (control) 91.00 ± 1.41 %") < words.index("low 60.00")
    assert chart.ticks() == [50, 80, 90, 95, 98]
    near = Standings("two", [standing("low", [46.6]), standing("high", [70.4])])
    assert near.ticks() == [40, 50, 60, 70, 80]


def test_on_its_axis_ten_times_fewer_wrong_answers_are_one_step():
    assert right([90, 99, 0]) == pytest.approx([1, 2, 0]) and np.isfinite(right(100.0))


def test_a_strip_shows_of_each_class_the_image_that_the_teacher_is_surest_of():
    strip = Standings("one", [row := standing("a", [50])]).strip(row)
    assert strip.shape == (2, 6, 3)
    assert (strip[:, :2] == 10).all() and (strip[:, 2:4] == 30).all() and (strip[:, 4:] == 235).all()


def test_its_drawings_hold_every_method():
    chart = Standings("two", [standing("one", [50, 60]), standing("other", [10.0], control=True)])
    assert {t for trace in chart.plotly().data for t in trace.y} == {"one  55.00 ± 7.07 %", "other  10.00 %"}
    left = chart.matplotlib().axes[0]
    assert [t.get_text().split("\n")[0] for t in left.get_yticklabels()] == ["one", "other"]


def test_a_table_is_read_as_it_was_written(tmp_path):
    """A key of digits with one e is a number to Python, and a folder may be called 2024."""
    rows = [
        {"key": "1234567890123e45", "data": "2024", "version": "0.1", "seed": 1, "seconds": 0.5, "distance": None},
        {"key": "1234567890123456", "data": "nan", "version": "", "seed": 2, "seconds": 2e-7, "distance": 3.0},
    ]
    for mark in b"", b"\xef\xbb\xbf":  # which Excel puts before what it saves
        (tmp_path / "t.csv").write_bytes(mark + C.as_csv(rows, rows[0]))
        assert C.read_table(tmp_path / "t.csv") == [rows[0], rows[1] | {"version": None}]


def test_a_table_that_grows_row_by_row_has_one_header_and_reads_back(tmp_path):
    rows = [{"method": "rdskd", "seed": 0.0}, {"method": "dafl", "seed": 1.0}]
    for row in rows:
        C.append_row(tmp_path / "table.csv", row)
    C.append_row(tmp_path / "table.csv", {"seed": 2.0})
    with pytest.raises(RunError, match="table.csv has no column outcome"):
        C.append_row(tmp_path / "table.csv", rows[0] | {"outcome": "x"})
    assert (tmp_path / "table.csv").read_text() == "method,seed\nrdskd,0.0\ndafl,1.0\n,2.0\n"
    assert C.read_table(tmp_path / "table.csv") == [*rows, {"method": None, "seed": 2.0}]
