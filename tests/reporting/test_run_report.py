"""Pages and the report of a run, on an invented run: structure, numbers, words, escaping, and what may be missing."""

import json
import shlex
import subprocess
import sys
from dataclasses import asdict, fields, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fake_run import make_run

from rdskd_lab.cli import main
from rdskd_lab.networks import weights
from rdskd_lab.reporting import charts, html_page, run_report
from rdskd_lab.runs import execute
from rdskd_lab.runs.config import Config, resolve
from rdskd_lab.runs.reuse import like
from rdskd_lab.runs.run_folder import FORMAT

pytest.importorskip("plotly")
pytest.importorskip("matplotlib")
HOSTILE = 'x"><script>alert(1)</script><img src=http://evil.example/a.png>'


class Outline(HTMLParser):
    """What a test asks of a page: tags with attributes, headings in order, text, and the JSON of the figures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.figures, self.text, self.inside = [], [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.inside.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.inside and self.inside[-1][0] == tag, f"</{tag}> closes {self.inside[-1:]}"
        self.inside.pop()

    def handle_data(self, data):
        tag, attrs = self.inside[-1] if self.inside else ("", {})
        if attrs.get("type") == "application/json":
            self.figures.append(json.loads(data))
        elif tag not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(run):
    return run_report.write_report(run).read_text("utf-8")


@pytest.fixture
def small(tmp_path):
    return make_run(tmp_path / "run", steps=150, student_steps=60)


def rewrite(run: Path, name: str, **changes) -> None:
    record = json.loads((run / name).read_text()) | changes
    (run / name).write_text(json.dumps({key: value for key, value in record.items() if value is not None}))


def test_structure(page):
    seen = Outline(page)
    assert not seen.inside, "every tag is closed"
    assert [attrs["lang"] for attrs in seen.all("html")] == ["en"]
    levels = [int(tag[1]) for tag, _ in seen.tags if tag in ("h1", "h2", "h3")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    assert len(seen.all("img")) == 5 and all(len(image["alt"]) > 40 for image in seen.all("img"))
    plots_ = [attrs for attrs in seen.all("div") if attrs.get("class") == "plot"]
    assert len(plots_) == len(seen.figures) == 10
    assert all(attrs["role"] == "group" and len(attrs["aria-label"]) > 40 for attrs in plots_)
    assert {attrs.get("scope") for attrs in seen.all("th")} == {"col", "row"}
    ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) and {f"#{i}" for i in ids} == {attrs["href"] for attrs in seen.all("a")}


def test_opens_offline(page):
    seen = Outline(page)
    for tag, attrs in seen.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert attrs.get(name, "#").startswith(("#", "data:image/png;base64,")), (tag, name)
    assert not seen.all("link") and not seen.all("iframe")
    assert "default-src 'none'" in page and page.count("plotly.js v") == 1


def test_numbers_are_those_of_the_result(run, page):
    result, text = json.loads((run / "result.json").read_text()), Outline(page).text
    for key in ("student_accuracy", "teacher_accuracy", "agreement"):
        assert f"{100 * result[key]:.2f} %" in text
    for who in ("teacher", "student"):
        assert all(f"{100 * value:.2f} %" in text for value in result["per_class_recall"][who])
    known = "113 s;10,000 real handwritten digits;812.4;2.08 percentage points below;2.14.1;0123abcd;12800"
    assert all(words in text for words in known.split(";"))


def test_hostile_names_stay_text(small):
    terms = {HOSTILE: {"weight": 2.5, "on": False, "damped": True, "rule": HOSTILE}}
    rewrite(small, "config.json", method=HOSTILE, student=HOSTILE, preset=HOSTILE, terms=terms)
    rewrite(small, "result.json", classes=[HOSTILE] + list("bcdefghij"), machine=HOSTILE, seconds={HOSTILE: 1.0})
    rows = (small / "history.csv").read_text().replace("ds", '"' + HOSTILE.replace('"', '""') + '"', 1)
    rows = rows.replace("ds_gain", '"' + HOSTILE.replace('"', '""') + '_gain"', 1)
    (small / "history.csv").write_text(rows)
    seen = Outline(run_report.write_report(small).read_text("utf-8"))
    assert len(seen.all("img")) == 5 and not any("alert(1)" in str(attrs.get("src")) for _, attrs in seen.tags)
    assert sum(tag == "script" for tag, _ in seen.tags) == len(seen.figures) + 2
    assert HOSTILE in seen.text and HOSTILE.upper() in seen.text


def test_no_label_can_close_the_script_that_holds_a_figure():
    class Raw(charts.Curves):
        def plotly(self):
            return super().plotly().update_layout(title_text="</script><b>out</b>")

    chart = Raw("raw", [charts.Line("a", np.arange(3.0), np.arange(3.0))])
    seen = Outline(html_page.figure("caption", chart))
    assert not seen.all("b") and seen.figures[0]["layout"]["title"]["text"] == "</script><b>out</b>"


def test_says_what_is_missing(small):
    (small / "samples.npz").unlink()
    rows = (small / "history.csv").read_text().splitlines()
    (small / "history.csv").write_text("\n".join(row for row in rows if not row.startswith("distill")) + "\n")
    rewrite(small, "config.json", terms=None)
    rewrite(small, "result.json", confusion=None, per_class_recall=None, class_histogram=None)
    text = Outline(run_report.write_report(small).read_text("utf-8")).text
    missing = "samples.npz;“distill”;accuracy was not measured;confusion;Recall;class histogram;table of terms"
    assert all(words in text for words in missing.split(";"))
    for name in ("result.json", "history.csv"):
        (small / name).unlink()
    seen = Outline(run_report.write_report(small).read_text("utf-8"))
    assert "no result" in seen.text and "No steps of the generator" in seen.text and not seen.figures
    with pytest.raises(FileNotFoundError, match="config.json"):
        run_report.write_report(small.parent)


def test_terms_of_other_methods_and_terms_that_are_off(small):
    rows = (small / "history.csv").read_text().replace("ds,ds_gain,ds_weight", "xx,xx_gain,xx_weight").splitlines()
    (small / "history.csv").write_text("\n".join(row.replace("synthesise", "joint") for row in rows) + "\n")
    rewrite(small, "config.json", terms={"xx": {"weight": 0.1, "on": False, "damped": False, "rule": "none"}})
    text = Outline(run_report.write_report(small).read_text("utf-8")).text
    assert "phase “joint”" in text and "no description" in text and "off in this run" in text and "xx: always 1" in text


def test_command_repeats_the_run_with_every_option(tmp_path, monkeypatch):
    """A run in which nothing is as usual; and one with its generator, in which what may be is as usual again."""
    named = dict(teacher="nets:net", weights="my w.pt", student="nets:small", head="fc", channels=1, size=28, classes=7)
    named |= dict(mean=(0.1,), std=(0.3,), takes="bytes", anchor="none", strength=2.5, device="cpu", seed=3)
    lists = dict(off=("ds",), weight=(("ie", 0.123456789),), change=(("width", "32"), ("lr", "1e-3")))
    asked = resolve(Config(method="rdskd+bn", preset="long", data="mnist", **named, **lists)).config
    kept = ("from_run", "budget")  # the second decides nothing
    assert not [f.name for f in fields(asked) if getattr(asked, f.name) == f.default and f.name not in kept]
    described = {"format": FORMAT, "version": "", "teacher": {"name": asked.teacher}}
    (tmp_path / "config.json").write_text(json.dumps(asdict(asked) | described))
    usual = {name: getattr(Config(), name) for name in ("preset", "student", "takes", "strength", "device", "seed")}
    other, seen = resolve(like(tmp_path, {**usual, "data": "digits"})).config, []
    monkeypatch.setattr(execute, "execute", lambda config, out, **how: seen.append(config) or 1 / 0)
    for config in asked, other:
        with pytest.raises(SystemExit):
            main(shlex.split(run_report.command(asdict(config) | described))[1:])
    once = {name: tuple(dict.fromkeys(getattr(seen[1], name))) for name in lists}  # --from has them already
    assert [seen[0], replace(seen[1], **once)] == [asked, other]


def test_written_all_or_nothing(small, monkeypatch):
    path = run_report.write_report(small)
    before = path.read_bytes()
    names = sorted(file.name for file in small.iterdir())
    assert names == ["config.json", "history.csv", "report.html", "result.json", "samples.npz"]
    monkeypatch.setattr(weights.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    rewrite(small, "config.json", seed=77)
    with pytest.raises(OSError, match="disk full"):
        run_report.write_report(small)
    assert path.read_bytes() == before and sorted(file.name for file in small.iterdir()) == names


def test_one_sentence_without_plotly(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match="plotly.*pip install"):
        run_report.write_report(small)
    assert not (small / "report.html").exists()


def test_importing_loads_no_plotting_library():
    code = "import sys, rdskd_lab.reporting.charts, rdskd_lab.reporting.run_report; print({'plotly', 'matplotlib'} & set(sys.modules))"
    here = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True).stdout == "set()\n"


def test_page_is_a_template_for_other_pages():
    sections = [
        ("A & B", html_page.table("c", ["x", "y"], [("1", html_page.Html("<b>2</b>")), ("<i>", 3)])),
        ("Picture", html_page.picture("cap", np.zeros((4, 4, 3), np.uint8), 'a "dark" square')),
    ]
    text = html_page.page("Two <methods>", html_page.paragraph("<i>lead</i> {}", "<u>"), sections)
    seen = Outline(text)
    assert not seen.figures and len(text) < 10_000, "no plotly.js where no figure is"
    assert "lead <u>" in seen.text and not seen.all("u") and len(seen.all("i")) == 1
    assert "Two <methods>" in seen.text and "A & B" in seen.text and "<i>" in seen.text and len(seen.all("b")) == 1
    assert seen.all("img")[0]["alt"] == 'a "dark" square'
