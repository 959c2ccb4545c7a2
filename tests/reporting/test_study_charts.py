"""A study's pictures: what they say in words is what they draw, and it is read from the table."""

import csv
import html
import json
import re

import numpy as np
import pytest

from rdskd_lab.reporting.study_charts import Interactive, Intervals, Spreads
from rdskd_lab.studies import robustness
from rdskd_lab.studies import scoreboard as B
from rdskd_lab.studies.engine import planned
from rdskd_lab.studies.registry import STUDIES
from rdskd_lab.studies.verdict import Verdict

BOTH = [Verdict("", "", "", *found, 5, label=name) for name, *found in (("a", 2.0, 1.0, 3.0), ("b", 0.5, -1.0, 2.0))]
SETTINGS = {("x", "default"): [90.0, 92.0], ("x", "lr x 4"): [10.0, 60.0], ("y", "default"): [95.0, 95.0]}
CHARTS = {
    "intervals": Intervals("claims", BOTH, "points"),
    "spreads": Spreads("settings", {key: np.array(found) for key, found in SETTINGS.items()}),
}


MEASURED = (
    "student_accuracy oh_probe oh_equal ie_probe final_teacher_fid final_entropy final_distance final_feature_distance"
)


def spots(chart) -> dict[str, list[tuple[float, float]]]:
    """Where the SVG puts the marks of each colour, read from the page; the key above the rows left out."""
    found = {}
    for name, x, y in re.findall(r'<path class="(c\d)(?: full)?" stroke-width="2" d="M(\S+) (\S+?)m', chart.svg()):
        if float(y) > 40:
            found.setdefault(name, []).append((float(x), float(y)))
    return found


@pytest.mark.parametrize("name", CHARTS)
def test_a_notebook_gets_a_figure_to_point_at_a_picture_and_words(name):
    data = Interactive(CHARTS[name])._repr_mimebundle_()
    assert html.escape(CHARTS[name].alt_text()) in data["text/html"]
    figure = json.loads(json.dumps(data["application/vnd.plotly.v1+json"]))
    assert figure["data"] and "xaxis" in figure["layout"]


def test_an_interval_is_drawn_from_end_to_end_and_its_word_has_a_mark_of_its_own():
    chart = CHARTS["intervals"]
    holds, other = chart.plotly().data
    assert (holds.name, holds.x, holds.error_x.array, holds.error_x.arrayminus) == ("holds", (2.0,), (1.0,), (1.0,))
    assert other.marker.symbol != holds.marker.symbol and other.marker.color != holds.marker.color
    (start, end), (left, right) = re.findall(r'stroke-width="2.2" d="M(\S+) \S+?H(\S+?)"', chart.svg())
    unit = (float(right) - float(left)) / 3  # the second reaches from -1 to 2, the first from 1 to 3
    assert float(end) - float(start) == pytest.approx(2 * unit, abs=0.3)
    assert float(start) == pytest.approx(float(left) + 2 * unit, abs=0.3)
    assert "a: +2 (+1 to +3), holds; b: +0.5 (-1 to +2), undecided" in chart.alt_text()


def test_a_setting_stands_at_its_mean_and_the_worst_is_named():
    chart = CHARTS["spreads"]
    assert chart.names() == ["y", "x"]
    assert "x: default 91 %, worst 35 % (lr x 4), best 91 % (default)" in chart.alt_text()
    marks = {trace.name: sorted(trace.x) for trace in chart.plotly().data}
    assert marks == {"default": [91.0, 95.0], "one setting changed": [35.0]}
    (worst, _), *defaults = spots(chart)["c0"] + sorted(spots(chart)["c6"])
    assert (defaults[1][0] - worst) / (defaults[0][0] - worst) == pytest.approx(60 / 56, rel=0.01)
    assert ">lr x 4</text>" in chart.svg()


def test_verdicts_are_drawn_with_their_own_numbers_and_those_without_an_interval_left_out():
    verdict = Verdict("a claim", "s", "how", 1.0, 0.5, 1.5, 5, " points", label="x against y")
    none = Verdict("another", "s", "how", *[float("nan")] * 3, 1)
    chart = B.intervals("title", [verdict, none])
    assert chart.rows == [verdict] and "points" in chart.xlabel
    assert "ln of a ratio" in B.intervals("title", [Verdict("c", "s", "ln (a / b)", 1.0, 0.5, 1.5, 5)]).xlabel


def test_no_two_intervals_of_a_picture_bear_one_label():
    for study in STUDIES.values():
        rows = [planned(t) | dict.fromkeys(MEASURED.split(), 0.9) for t in study.trials()]
        labels = [v.label for v in study.verdicts(rows)]
        assert len(set(labels)) == len(labels) and max(map(len, labels)) <= 70


def test_a_study_page_shows_what_is_done_so_far_and_draws_what_has_an_interval(tmp_path):
    trials = STUDIES["accuracy"].trials()

    def page(kept):
        rows = [planned(t) | {"outcome": "finished", "student_accuracy": 0.9} for t in trials if t.config.seed in kept]
        for r in rows:
            r["student_accuracy"] += 0.01 * r["seed"] * (r["method"] == "rdskd")
        with open(tmp_path / "accuracy.csv", "w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader(), table.writerows(rows)
        return B.page(STUDIES["accuracy"], tmp_path).read_text()

    first, more = page({0}), page({0, 1, 2})
    assert "13 of 65 trials" in first and "too few pairs" in first and 'class="plot"' not in first
    assert "39 of 65 trials" in more and "undecided" in more and 'class="plot"' in more
    assert "rdskd against dafl: +1 (-1.48 to +3.48), undecided" in more  # 0, 1, 2 points: 1 ± 4.303 / sqrt(3)


def test_a_stopped_run_is_drawn_as_a_guess():
    rows = [
        {"method": "x", "setting": "default", "seed": float(s), "student_accuracy": a}
        for s, a in enumerate((0.9, None))
    ]
    (accuracy,) = robustness.settings_chart(rows).settings.values()
    assert accuracy.tolist() == [90.0, 10.0]
