"""Pages to read: one template, and the report of one run on top of it.

`page(title, lead, sections)` makes one self-contained HTML file: plotly.js once, pictures as data, nothing fetched. Its
parts come from `figure`, `picture`, `table` and `numbers`, which escape all that is not marked `Html`.
`write_report(run_dir)` reads what a run left in its folder, and says so where something is missing.
"""

from __future__ import annotations

import base64
import io
import json
import shlex
from html import escape
from pathlib import Path

import numpy as np

from ..methods.registry import WORDS, describe
from ..networks.weights import write_whole
from . import charts

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1a1a1a;--soft:#595959;--edge:#c8c8c8;--band:#f3f5f7;--link:#00568a}
@media (prefers-color-scheme:dark){:root{--ground:#16181b;--ink:#ececec;--soft:#b4b4b4;--edge:#4a4e54;--band:#22262b;
--link:#8cc8f2}}
*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--ground);
color:var(--ink);font:1.0625rem/1.6 system-ui,"Segoe UI",Arial,sans-serif}p{max-width:46rem}a{color:var(--link)}
h1{font-size:1.9rem;line-height:1.2;margin:.2em 0 .6em}h2{font-size:1.4rem;line-height:1.3;margin:2.6em 0 .4em}
nav ol{columns:18rem;padding-left:1.4em}li{break-inside:avoid}
figure{margin:1.4em 0;padding:.6rem;background:#fff;color:#1a1a1a;border:1px solid var(--edge);border-radius:6px}
figcaption,details,caption{font-size:.95rem;line-height:1.45;text-align:left}figcaption{padding-top:.4rem}
figure details{color:#444}summary{cursor:pointer}.row{display:grid;gap:.8rem}.row figure{margin:0}
.row{grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr))}.picture{display:flex;gap:.4rem}
.picture img{width:100%;min-width:0;image-rendering:pixelated}
.picture ol{list-style:none;margin:0;padding:0;display:flex;flex-direction:column;justify-content:space-around}
.numbers{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));margin:1.2em 0}
.numbers div{display:flex;flex-direction:column-reverse;justify-content:flex-end;background:var(--band);
border:1px solid var(--edge);border-radius:6px;padding:.6rem .9rem}
.numbers dt{font-size:.95rem;line-height:1.35;color:var(--soft)}.numbers dd{margin:0;font-size:1.75rem;font-weight:650}
.scroll{overflow-x:auto;margin:1.4em 0}table{border-collapse:collapse;min-width:min(100%,34rem)}
caption{padding-bottom:.4em;color:var(--soft)}th,td{border-bottom:1px solid var(--edge);padding:.35em .8em .35em 0;
text-align:left;vertical-align:top}thead th{border-bottom-width:2px}th{font-weight:600}td{min-width:4rem;
overflow-wrap:anywhere}
pre{background:var(--band);border:1px solid var(--edge);border-radius:6px;padding:.8rem;overflow-x:auto;font-size:.9rem;
white-space:pre-wrap}pre span{white-space:nowrap}
@media print{:root{--ground:#fff;--ink:#000;--soft:#444;--edge:#bbb;--band:#fff}body{max-width:none;font-size:10.5pt}
nav,summary{display:none}.plot,.row,tr,.numbers{break-inside:avoid}.row{grid-template-columns:repeat(5,1fr)}
h2,caption{break-after:avoid}.scroll{overflow:visible}}
"""
DRAW = """const all=[...document.querySelectorAll(".plot")];for(const plot of all){
const {data,layout}=JSON.parse(plot.nextElementSibling.textContent);
Plotly.newPlot(plot,data,layout,{responsive:true,displaylogo:false,
modeBarButtonsToRemove:["select2d","lasso2d","sendChartToCloud"]})}
addEventListener("beforeprint",()=>all.forEach(plot=>Plotly.relayout(plot,{width:640,autosize:false})));
addEventListener("afterprint",()=>all.forEach(plot=>Plotly.relayout(plot,{width:null,autosize:true})));"""
CLOSED = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


class Html(str):
    """Text that is HTML already and is not escaped again."""


def safe(text: object) -> Html:
    """`text` for use in HTML, in attributes too."""
    return text if isinstance(text, Html) else Html(escape(str(text)))


def figure(caption: str, *shown: charts.Chart) -> Html:
    """Interactive figures, one below the other, and their words; `caption` says how to read them."""
    out = "".join(
        f'<div class="plot" role="group" aria-label="{safe(chart.alt_text())}"></div>'
        f'<script type="application/json">{chart.plotly().to_json()}</script>'  # to_json writes each < as an escape
        for chart in shown
    )
    words = " ".join(chart.alt_text() for chart in shown)
    return Html(
        f"<figure>{out}<figcaption>{safe(caption)}</figcaption>"
        f"<details><summary>In words</summary>{safe(words)}</details></figure>"
    )


def picture(caption: str, pixels: np.ndarray, alt: str, rows: list[str] = ()) -> Html:
    """uint8 (H, W, 3) shown with sharp pixels; `rows` are labels of equally high rows, on its left."""
    file = io.BytesIO()
    charts.load("matplotlib.image").imsave(file, pixels, format="png")
    labels = f'<ol aria-hidden="true">{"".join(f"<li>{safe(row)}</li>" for row in rows)}</ol>' if rows else ""
    return Html(
        f'<figure><div class="picture">{labels}<img alt="{safe(alt)}" src="data:image/png;base64,'
        f'{base64.b64encode(file.getvalue()).decode()}"></div><figcaption>{safe(caption)}</figcaption></figure>'
    )


def table(caption: str, head: list[str], rows: list[tuple]) -> Html:
    """A table whose first column names its rows; a wide one scrolls on its own."""
    top = "".join(f'<th scope="col">{safe(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{safe(name)}</th>{"".join(f"<td>{safe(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{safe(caption)}"><table><caption>'
        f"{safe(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def numbers(pairs: list[tuple[str, str]]) -> Html:
    """Large numbers, each (value, what it is)."""
    cards = "".join(f"<div><dt>{safe(what)}</dt><dd>{safe(value)}</dd></div>" for value, what in pairs)
    return Html(f'<dl class="numbers">{cards}</dl>')


def page(title: str, lead: str, sections: list[tuple[str, str]]) -> str:
    """A whole page. `title` and the headings are plain text; `lead` and each section's body are HTML, made by hand or
    by `figure`, `picture`, `table` and `numbers`. plotly.js is put in once, and only if there is a figure."""
    body = "".join(
        f'<section><h2 id="s{i}">{safe(heading)}</h2>{text}</section>' for i, (heading, text) in enumerate(sections, 1)
    )
    links = "".join(f'<li><a href="#s{i}">{safe(heading)}</a></li>' for i, (heading, _) in enumerate(sections, 1))
    library = charts.load("plotly.offline").get_plotlyjs() if 'class="plot"' in lead + body else ""
    script = f"<script>{library}</script><script>{DRAW}</script>" if library else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{CLOSED}"><title>{safe(title)}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{safe(title)}</h1>{lead}"
        f'<nav aria-label="On this page"><ol>{links}</ol></nav>{body}</main>{script}</body></html>'
    )


def write_page(path: str | Path, text: str) -> Path:
    """Put `text` at `path`, all of it or nothing."""
    write_whole(path, text.encode())
    return Path(path)


# ---------------------------------------------------------------- the report of one run


def percent(fraction: float | None) -> str:
    """0.9704 -> '97.04 %'; None -> 'not measured'."""
    return "not measured" if fraction is None else f"{100 * fraction:.2f} %"


def command(config: dict) -> str:
    """The command line that repeats a run, from its config.json."""
    given = {key: config.get(key) for key in ("method", "preset", "data", "seed", "anchor")}
    given |= {"teacher": (config.get("teacher") or {}).get("name")}
    given |= {key: config[key] for key in ("weights", "channels", "size", "classes") if config.get(key)}
    given |= {"student": config["student"]} if config.get("student", "pair") not in ("pair", "lenet5_half") else {}
    given |= {key: ",".join(map(str, config[key])) for key in ("mean", "std") if config.get(key)}
    words = [word for key, value in given.items() if value is not None for word in (f"--{key}", value)]
    words += [word for key in config.get("off", ()) for word in ("--off", key)]
    words += [word for key, value in config.get("weight", ()) for word in ("--weight", f"{key}={value:g}")]
    words += [word for key, value in config.get("change", ()) for word in ("--set", f"{key}={value}")]
    return shlex.join(map(str, ["rdskd-lab", "distill", *words, "--out", "DIR"]))


def _lead(config: dict, result: dict) -> str:
    start = f"<p>Preset {safe(config.get('preset', 'none'))}, seed {safe(config.get('seed', 'none'))}.</p>"
    student, teacher, n = result.get("student_accuracy"), result.get("teacher_accuracy"), result.get("test_images", 0)
    if student is None:
        return start + "<p>This run has no result yet: result.json is missing or holds no student accuracy.</p>"
    what = "real handwritten digits" if result.get("data") in ("mnist", "digits") else "real test images"
    seconds, gap = result.get("seconds", {}), 100 * ((teacher or 0) - student)
    split = ", ".join(f"{name} {value:,.0f} s" for name, value in seconds.items() if name != "total") or "total"
    cards = numbers(
        [
            (percent(student), f"student, right on {n:,} {what}"),
            (percent(teacher), "its teacher, on the same images"),
            (percent(result.get("agreement")), "agreement: student and teacher give the same answer, right or wrong"),
            (f"{seconds['total']:,.0f} s" if "total" in seconds else "not measured", f"computing time ({split})"),
            (f"{result.get('real_images', 0):,}", "real images used to train the generator or the student"),
        ]
    )
    side = "below" if gap >= 0 else "above"
    far = f" It ends {abs(gap):.2f} percentage points {side} its teacher." if teacher else ""
    seen = result.get("seen", "images that a generator painted, and the teacher's answers to them")
    guess = f" Guessing would be right on about {100 / len(result['classes']):.3g} %." if result.get("classes") else ""
    text = (
        f"<p>The student learned only from {safe(seen)}.{far}"
        f"{guess} With {n:,} test images luck alone moves such a number by about "
        f"± {196 * (student * (1 - student) / max(n, 1)) ** 0.5:.1f} points.</p>"
    )
    return start + cards + text


def _samples(path: Path, result: dict) -> str:
    if not path.exists():
        return "<p>This run kept no samples: samples.npz is missing.</p>"
    return samples_section(charts.read_samples(path, result.get("classes")))


def samples_section(samples: charts.Samples) -> str:
    """The same latents at several moments, side by side, and how to read them, as HTML."""
    rows = samples.names if len(samples.names) <= 20 else []
    shown = [picture(samples.caption(m), samples.mosaic(m), samples.alt_text(m), rows) for m in samples.moments()]
    return (
        f"<p>{samples.images.shape[1]} latents, painted at several moments of the generator's training. Follow a "
        "tile from picture to picture: it is the same latent. A row holds the latents that the teacher puts into "
        "that class at the last moment, the surest first, at most six; an empty row is a class that is absent.</p>"
        f'<div class="row">{"".join(shown)}</div><p>These images need not look real to a person. They have to be '
        "clear to the teacher, and different enough for the student to learn from.</p>"
    )


def losses_section(history: dict, phase: str, config: dict) -> str:
    """Each term of a phase: what it asks for, in words, and its course, as HTML; `config["terms"]` says what was on."""
    rows = []
    for key in charts.terms(history, phase):
        term, on = describe(key), (config.get("terms") or {}).get(key, {}).get("on", True)
        off = "" if on else " It was off in this run: measured, but not asked for."
        rows.append(
            (
                f"{term.name} ({key})",
                Html(
                    f"{safe(term.purpose + off)}<br>{key} = {term.formula}; {safe(term.range)}; {safe(term.unit)}"
                    if key in WORDS
                    else safe(term.purpose + off)
                ),
            )
        )
    text = (
        "<p>In the formulas p are the teacher's probabilities, p̄ their mean over a batch, K the number of classes; "
        "x¹, x² are the halves of a batch of images and P¹, P² the teacher's probabilities for them.</p>"
    )
    text += table(f"Terms of the phase “{phase}”", ["term", "what it asks for; formula; range; unit"], rows)
    return text + figure(
        "Raw value of each term, before weight and damping. Thin: each step (thinned, extremes kept); thick: running "
        "median. All are minimised, so down is what was asked for; but the terms pull against each other, and one may "
        "have to rise for another to fall.",
        *charts.loss_terms(history, phase),
    )


def gains_section(history: dict, phase: str) -> str:
    """What damping did to each term of a phase, and how to read it, as HTML."""
    shown = charts.gains(history, phase)
    lines = {key: charts.curve(history, phase, key, "_gain") for key in charts.terms(history, phase)}
    still = [f"{key}: always {charts.number(line.y[0])}" for key, line in lines.items() if len(set(line.y)) == 1]
    text = (
        "<p>A damped term enters the sum as exp(L − anchor); the anchor is an earlier value of the same loss L. So "
        "the term's gradient is multiplied by its gain, exp(L − anchor). At gain 1 the loss stands at its anchor. "
        "Above 1 it has risen, and the more it rose, the harder the term pulls; below 1 it has fallen, and the "
        "term lets go. Where the gain jumps back to 1, a new anchor was taken. A plain term has gain 1, one that "
        "is off 0. What reaches the optimiser is weight times gain.</p>"
    )
    text += f"<p>Gains that never change are not drawn: {safe('; '.join(still))}.</p>" if still else ""
    return text + (
        figure("Gain of each damped term. Thin: each step; thick: running median.", *shown)
        if shown
        else "<p>No gain changed in this run.</p>"
    )


def _student(history: dict, config: dict, result: dict) -> str:
    loss = charts.loss_terms(history, "distill") if charts.phases(history) else []
    right = charts.accuracy_curve(history, result.get("teacher_accuracy"))
    digits = config.get("data") in ("mnist", "digits")
    where = f"{'the 4,000 tuning digits' if digits else 'at most 4,000 tuning images'}, none of them a test image"
    return (
        figure("The student's loss on generated images. At 0 it would answer exactly as the teacher does.", *loss)
        if loss
        else "<p>No steps of the phase “distill” were recorded.</p>"
    ) + (
        figure(f"Measured now and then on {where}. It chose nothing: the last student is reported.", *right)
        if right
        else "<p>The student's accuracy was not measured along the way.</p>"
    )


def _errors(result: dict) -> str:
    text = "<p>This run recorded no confusion table.</p>"
    if result.get("confusion"):
        heat = charts.confusion(result)
        rows = [(f"{t} → {s}", f"{n:,}", f"{share:.2f} %") for t, s, n, share in heat.worst()]
        text = figure(
            "Numbers of test images. Grey: both give the same answer. Colour: they differ; the darker, the "
            "larger the share of that row.",
            heat,
        ) + table("The most frequent disagreements", ["teacher → student", "images", "share of the row"], rows)
    if not result.get("per_class_recall"):
        return text + "<p>Recall per class was not recorded.</p>"
    recall = {who: map(percent, values) for who, values in result["per_class_recall"].items()}
    return (
        text
        + figure(
            "Recall: the share of a class's test images that is recognised. The axis need not begin at 0.",
            charts.recall(result),
        )
        + table("Recall per class", ["class", *recall], list(zip(result["classes"], *recall.values(), strict=True)))
    )


def _show(value: object) -> str:
    if isinstance(value, list):
        return ", ".join("=".join(map(_show, one)) if isinstance(one, list) else _show(one) for one in value) or "none"
    return (
        ("no", "yes")[value] if isinstance(value, bool) else f"{value:.6g}" if isinstance(value, float) else str(value)
    )


def _flat(record: dict, before: str = "") -> list[tuple[str, str]]:
    return [
        row
        for key, value in record.items()
        for row in (_flat(value, f"{before}{key} ") if isinstance(value, dict) else [(f"{before}{key}", _show(value))])
    ]


def _settings(config: dict, result: dict) -> str:
    words = " ".join(f"<span>{safe(shlex.quote(word))}</span>" for word in shlex.split(command(config)))
    rows = config.get("terms") or {}
    names = list(dict.fromkeys(name for term in rows.values() for name in term))
    cells = [(key, *(_show(term.get(name, "")) for name in names)) for key, term in rows.items()]
    few = {key: value for key, value in config.items() if key not in ("settings", "terms")} | config.get("settings", {})
    made = {key: result[key] for key in ("machine", "versions", "seconds", "peak_rss_mb") if key in result}
    return (
        f'<p>This command repeats the run:</p><pre tabindex="0"><code>{words}</code></pre>'
        + (table("Terms", ["term", *names], cells) if rows else "<p>config.json has no table of terms.</p>")
        + table("Settings", ["setting", "value"], _flat(few))
        + table("Machine, versions, seconds and memory", ["what", "value"], _flat(made))
    )


def write_report(run_dir: str | Path) -> Path:
    """Make report.html in the folder of a run from what lies there; return its path."""
    run = Path(run_dir)
    if not (run / "config.json").is_file():
        raise FileNotFoundError(f"{run} is not the folder of a run: it has no config.json.")
    config, result = (
        json.loads((run / name).read_text("utf-8")) if (run / name).exists() else {}
        for name in ("config.json", "result.json")
    )
    history = charts.read_history(run / "history.csv") if (run / "history.csv").exists() else {}
    made = [phase for phase in charts.phases(history) if phase != "distill" and charts.terms(history, phase)]
    none = "<p>No steps of the generator were recorded.</p>"
    title = f"{str(config.get('method', 'run')).upper()} on {config.get('data', 'data')}: a student taught without data"
    return write_page(
        run / "report.html",
        page(
            title,
            _lead(config, result),
            [
                ("What the generator painted", _samples(run / "samples.npz", result)),
                (
                    "Which classes it painted",
                    figure(
                        "How the teacher sorts generated images. The student sees little of a "
                        "class whose bar is short.",
                        charts.class_histogram(result),
                    )
                    if result.get("class_histogram")
                    else "<p>This run recorded no class histogram.</p>",
                ),
                (
                    "What the generator was asked for",
                    "".join(losses_section(history, phase, config) for phase in made) or none,
                ),
                ("How hard each term pulled", "".join(gains_section(history, phase) for phase in made) or none),
                ("How the student learned", _student(history, config, result)),
                ("Where student and teacher disagree", _errors(result)),
                ("Everything needed to repeat it", _settings(config, result)),
            ],
        ),
    )
