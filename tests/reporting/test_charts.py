"""Charts: both renderers draw the numbers of the description, and its words follow from the same numbers."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_run import make_run

from rdskd_lab.reporting import charts
from rdskd_lab.reporting.draw_svg import WIDE
from rdskd_lab.reporting.history import read_history

pytest.importorskip("plotly")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


def of_run(run) -> list[charts.Curves]:
    history, result = read_history(run / "history.csv"), json.loads((run / "result.json").read_text())
    courses = [*charts.loss_terms(history), *charts.gains(history), *charts.loss_terms(history, "distill")]
    return [*courses, *charts.accuracy_curve(history, 0.99), charts.class_histogram(result), charts.recall(result)]


def drawn(path: str) -> np.ndarray:
    """The points (N, 2) of an SVG path of moves and relative lines, read anew."""
    points = []
    for start, moves in re.findall(r"M([\d.]+ [-\d.]+)l([^M]*)", path):
        steps = np.array([*start.split(), *moves.split()], float).reshape(-1, 2)
        points.append(np.cumsum(steps, axis=0))
    return np.concatenate(points)


def test_both_renderers_draw_the_same_lines(run):
    for chart in of_run(run):
        page, traces = ElementTree.fromstring(chart.svg(own_style=True)), chart.plotly().data
        paths = [element.get("d") for element in page.iter("{http://www.w3.org/2000/svg}path")]
        lines = [drawn(path) for path in paths if re.match(r"M[\d.]+ [-\d.]+l", path)]
        plotted = [t for t in traces if t.type == "scatter" and "lines" in t.mode and t.line.dash != "longdash"]
        assert len(lines) == len(plotted)
        for points, trace in zip(lines, plotted, strict=True):  # one axis maps to the other by a straight line
            y = np.log10(trace.y) if chart.log else np.array(trace.y)
            ends = np.array([points[:, 1].max(), points[:, 1].min()])
            where = np.interp(points[:, 0], points[[0, -1], 0], [trace.x[0], trace.x[-1]])
            nearest = y[np.abs(np.subtract.outer(where, trace.x)).argmin(1)]
            at = ends[0] + (ends[1] - ends[0]) * (nearest - y.min()) / (y.max() - y.min())
            assert np.abs(at - points[:, 1]).max() < 1.5 and len(points) > 15


def test_bars_and_marks_stand_where_their_values_are(run):
    *_, bars, recall = of_run(run)
    path = re.search(r'full" d="(.*?)"', bars.svg()).group(1)
    corners = np.array(re.findall(r"M\S+ (\S+?)V(\S+?)h", path), float)
    heights = corners[:, 0] - corners[:, 1]
    assert heights / heights.max() == pytest.approx(bars.lines[0].y / bars.lines[0].y.max(), abs=0.01)
    assert np.array_equal(bars.plotly().data[-1].y, bars.lines[0].y)
    marks = re.findall(r'class="c1" stroke-width="2" d="((?:M\S+ \S+?m0-6l6 6-6 6-6-6z)+)"', recall.svg())[-1]
    at = -np.array(re.findall(r"M\S+ (\S+?)m", marks), float)
    assert np.corrcoef(at, recall.lines[1].y)[0, 1] > 0.9999 and len(at) == len(recall.lines[1].y)


def test_a_drawing_needs_no_page_and_carries_its_words(run):
    for chart in of_run(run):
        page = ElementTree.fromstring(chart.svg(own_style=True))
        assert page.get("role") == "img" and page.get("aria-label") == chart.alt_text()
        assert chart.title in "".join(page.itertext())
        data = chart._repr_mimebundle_()
        assert set(data) == {"text/html", "text/plain"} and 'src="data:image/svg+xml;base64,' in data["text/html"]
    hostile = charts.Curves('<b a="', [charts.Line("</svg><script>", np.arange(3.0), np.arange(3.0))] * 2)
    assert not {"b", "script"} & {tag.tag.split("}")[1] for tag in ElementTree.fromstring(hostile.svg()).iter()}
    both = charts.Panels("two", of_run(run)[:2]).html()
    assert both.count("<img ") == 2 and both.count(" alt=") == 2 and len(both) < 40_000


def test_words_follow_the_data(run):
    history = read_history(run / "history.csv")
    before = charts.loss_terms(history)[0].alt_text()
    assert "falls from 1." in before and "over steps 0 to 479" in before
    history["oh"] = history["oh"][::-1].copy()
    history["phase"], history["step"] = history["phase"][::-1], history["step"][::-1]
    assert "rises from 0." in charts.loss_terms(history)[0].alt_text()
    flat = charts.Line("a", np.arange(9.0), np.full(9, 2.0))
    assert "stays near 2 over steps 0 to 8" in charts.Curves("a", [flat]).alt_text()
    result = {"classes": ["cat", "dog"], "class_histogram": [30, 10], "confusion": [[5, 2], [0, 3]]}
    words = charts.class_histogram(result).alt_text()
    assert "lowest 25 % for dog, highest 75 % for cat" in words and "50 %" in words
    assert "8 of 10 test images (80.0 %)" in charts.confusion(result).alt_text()
    assert charts.confusion(result).worst() == [("cat", "dog", 2, pytest.approx(200 / 7))]
    recall = {"teacher": [None, 0.99, 0.9], "student": [None, 0.5, 0.97]}
    words = charts.recall({"classes": list("abc"), "per_class_recall": recall}).alt_text()
    assert "lowest 90 % for c" in words and "lowest 50 % for b" in words and "nan" not in words


@pytest.mark.parametrize("many", [4, 12])
def test_labels_at_the_ends_do_not_overlap_and_stay_beside_the_axis(many):
    names = "abcdefghijkl"[:many]
    lines = [charts.Line(name, np.arange(3.0), np.array([0, 1, 1 + i / 1000])) for i, name in enumerate(names)]
    chart = charts.Curves("lines that end together, at the top", lines)
    labels = re.findall(r'<text x="(\S+)" y="(\S+)" class="e c\d">(.*?)<', chart.svg())
    at = sorted(float(y) for _, y, _ in labels)
    assert min(np.diff(at)) >= 16.9 and {text[-1] for *_, text in labels} == set(names)
    assert all(float(x) + 7 * len(text) <= WIDE for x, _, text in labels)
    assert len(chart.plotly().layout.annotations) == many + 1


def test_mosaic_keeps_latents_in_place(run):
    samples = charts.read_samples(run / "samples.npz", [rf"$\frac{k}$" for k in range(10)])
    samples.labels[-1] = np.where(samples.labels[-1] == 7, 1, samples.labels[-1])
    first, last = samples.mosaic(0), samples.mosaic(len(samples.steps) - 1)
    assert first.shape == last.shape == (340, 204, 3)
    assert (last[7 * 34 : 8 * 34] == 235).all() and not (last[:34] == 235).all()  # no latent ends as a 7
    surest = max(np.flatnonzero(samples.labels[-1] == 1), key=lambda i: samples.confidence[-1, i])
    for moment, tiles in ((0, first), (len(samples.steps) - 1, last)):
        assert np.array_equal(tiles[35:67, 1:33, 0], samples.images[moment, surest, 0])
    many = replace(samples, images=samples.images.repeat(3, 2), names=list("x" * 30))
    assert many.mosaic(0).shape == (11 * 34, 204, 3)
    result = json.loads((run / "result.json").read_text())
    assert charts.confusion(result).png()[:4] == samples.png()[:4] == b"\x89PNG"
    assert 'src="data:image/png;base64,' in samples.html() and samples.alt_text()[:40] in samples.html()
