"""The report of a run: report.html, made from what the run left in its folder.  What is missing is named as missing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from ..methods.registry import describe
from . import charts
from .history import flat, number, phases, read_history, terms
from .html_page import Html, figure, numbers, page, paragraph, picture, table, write_page

DIGITS = ("mnist", "digits")
# The options of distill in a run's config.json, and with which value each may be left out.
OPTIONS = dict.fromkeys("method preset data seed anchor teacher weights mean std head from".split(), "")
OPTIONS |= dict(channels=0, size=0, classes=0, takes="normalised", student="pair", strength=1, device="auto")
PROMISE = (
    "No real image was used. Agreement on made images says how well the student has learned what such images can show "
    "of the teacher; it is no forecast of its accuracy on real images, which can be far lower. For example, two "
    "students both gave their teacher's answer on 85 % of generated images, and both teachers read 99 % of real "
    "digits; one student reads 98 % of these digits, the other 55 % (results/no_data.md). "
    "Test it on a few real images before you use it."
)


def write_report(run_dir: str | Path) -> Path:
    """Write report.html into the folder of a run from what is in the folder, and return its path."""
    run = Path(run_dir)
    if not (run / "config.json").is_file():
        raise FileNotFoundError(f"{run} is not the folder of a run: it has no config.json.")
    config, result = (
        json.loads((run / name).read_text("utf-8")) if (run / name).exists() else {}
        for name in ("config.json", "result.json")
    )
    history = read_history(run / "history.csv") if (run / "history.csv").exists() else {}
    made = [phase for phase in phases(history) if phase != "distill" and terms(history, phase)]
    none = paragraph("No steps of the generator were recorded.")
    method, data = str(config.get("method", "run")).upper(), config.get("data", "data")
    title = f"{method}{'' if data == 'none' else f' on {data}'}: a student trained without data"
    sections = [
        ("What the generator makes", _samples(run / "samples.npz", result)),
        ("Which classes it makes", _classes(result)),
        ("What each loss is for", Html().join(losses_section(history, phase, config) for phase in made) or none),
        ("How hard each loss pulled", Html().join(gains_section(history, phase) for phase in made) or none),
        ("How the student learned", _student(history, config, result)),
        ("Where student and teacher disagree", _errors(result)),
        ("How to repeat this run", _settings(config, result)),
    ]
    return write_page(run / "report.html", page(title, _lead(config, result), sections))


def percent(fraction: float | None) -> str:
    """0.9704 -> '97.04 %'; None -> 'not measured'."""
    return "not measured" if fraction is None else f"{100 * fraction:.2f} %"


def command(config: dict) -> str:
    """Return the command line that repeats a run, from its config.json."""
    given = config | {"teacher": (config.get("teacher") or {}).get("name"), "from": config.get("from_run")}
    given |= {key: ",".join(map(str, config.get(key) or ())) for key in ("mean", "std")}
    said = {key: given.get(key) for key in OPTIONS}
    usual = OPTIONS if not said["from"] else {}  # beside --from, what is left out is as in the other run
    said = {key: value for key, value in said.items() if value not in (None, "", usual.get(key))}
    words = [word for key, value in said.items() for word in (f"--{key}", value)]
    words += [word for key in config.get("off", ()) for word in ("--off", key)]
    words += [word for key, value in config.get("weight", ()) for word in ("--weight", f"{key}={value}")]
    words += [word for key, value in config.get("change", ()) for word in ("--set", f"{key}={value}")]
    return shlex.join(map(str, ["rdskd-lab", "distill", *words, "--out", "DIR"]))


def _lead(config: dict, result: dict) -> Html:
    start = paragraph("Preset {}, seed {}.", config.get("preset", "none"), config.get("seed", "none"))
    student, teacher, n = result.get("student_accuracy"), result.get("teacher_accuracy"), result.get("test_images", 0)
    if made := result.get("without_data"):
        cards = [
            (percent(on["agreement"]), f"of {on['images']:,} {name} images: the teacher's answer")
            for name, on in made.items()
        ]
        return (
            start
            + numbers(cards)
            + paragraph(
                "The student was trained only on {}. {}", result.get("seen", "images from a generator"), PROMISE
            )
            + _by_class(made)
        )
    if student is None:
        return start + paragraph(
            "This run has no result yet: result.json is missing or does not contain the student's accuracy."
        )
    what = "real handwritten digits" if result.get("data") in DIGITS else "real test images"
    seconds, gap = result.get("seconds", {}), 100 * ((teacher or 0) - student)
    split = ", ".join(f"{name} {value:,.0f} s" for name, value in seconds.items() if name != "total") or "total"
    cards = [
        (percent(student), f"student: correct on {n:,} {what}"),
        (percent(teacher), "its teacher, on the same images"),
        (percent(result.get("agreement")), "agreement: student and teacher give the same answer, right or wrong"),
        (f"{seconds['total']:,.0f} s" if "total" in seconds else "not measured", f"computing time ({split})"),
        (f"{result.get('real_images', 0):,}", "real images used to train the generator or the student"),
    ]
    text = paragraph(
        "The student was trained only on {}.{}{} With {} test images, chance alone changes this accuracy by about "
        "± {} percentage points.",
        result.get("seen", "images from a generator, with the teacher's answers as labels"),
        f" It ends {abs(gap):.2f} percentage points {'below' if gap >= 0 else 'above'} its teacher." if teacher else "",
        f" Guessing would reach about {100 / len(result['classes']):.3g} %." if result.get("classes") else "",
        f"{n:,}",
        f"{196 * (student * (1 - student) / max(n, 1)) ** 0.5:.1f}",
    )
    return start + numbers(cards) + text


def _by_class(made: dict) -> Html:
    shares = [on["by_class"] for on in made.values()]
    rows = [
        (k, *("no image" if share is None else percent(share) for share in by))
        for k, by in enumerate(zip(*shares, strict=True))
    ]
    return table("Agreement by the class that the teacher gives", ["class", *made], rows)


def _samples(path: Path, result: dict) -> Html:
    if not path.exists():
        return paragraph("This run has no samples: samples.npz is missing.")
    return samples_section(charts.read_samples(path, result.get("classes")))


def samples_section(samples: charts.Samples) -> Html:
    """Show images of the same latents at several moments, side by side, and say how to read them."""
    rows = samples.names if len(samples.names) <= 20 else []
    shown = [picture(samples.caption(m), samples.mosaic(m), samples.alt_text(m), rows) for m in samples.moments()]
    return (
        paragraph(
            "Images of {} latents at several moments of the generator's training. A tile is the same latent in every "
            "picture. A row holds the latents that the teacher assigns to that class at the last moment, the most "
            "certain first, at most six; an empty row is a class that never occurs.",
            samples.images.shape[1],
        )
        + Html('<div class="row">{}</div>').format(Html().join(shown))
        + paragraph(
            "These images need not look real to a person. They must be clear to the teacher, and varied enough for "
            "the student to learn from."
        )
    )


def _classes(result: dict) -> Html:
    if not result.get("class_histogram"):
        return paragraph("This run recorded no class histogram.")
    return figure(
        "The teacher's answers to generated images. A short bar is a class that the student rarely sees.",
        charts.class_histogram(result),
    )


def losses_section(history: dict, phase: str, config: dict) -> Html:
    """Show each term of a phase, its purpose and its curve; `config["terms"]` says which were on."""
    rows = []
    for key in terms(history, phase):
        term, on = describe(key), (config.get("terms") or {}).get(key, {}).get("on", True)
        off = "" if on else " It was off in this run: measured, but not minimised."
        formula = Html("<br>{} = {}; {}; {}").format(key, Html(term.formula), term.range, term.unit)
        rows.append((f"{term.name} ({key})", Html("{}{}{}").format(term.purpose, off, formula)))
    symbols = (
        "In the formulas, p are the teacher's probabilities, p̄ is their mean over a batch and K the number of classes; "
        "x¹ and x² are the two halves of a batch of images, P¹ and P² the teacher's probabilities for them."
    )
    caption = (
        "Value of each term, before weight and damping. Thin: every step (thinned, extremes kept); thick: running "
        "median. All are minimised, so lower is better; but the terms compete, and one may have to rise so that "
        "another can fall."
    )
    return (
        paragraph(symbols)
        + table(f"Terms of the phase “{phase}”", ["term", "purpose; formula; range; unit"], rows)
        + figure(caption, *charts.loss_terms(history, phase))
    )


def gains_section(history: dict, phase: str) -> Html:
    """Show what damping did to each term of a phase, and say how to read it."""
    shown = charts.gains(history, phase)
    lines = {key: charts.curve(history, phase, key, "_gain") for key in terms(history, phase)}
    still = [f"{key}: always {number(line.y[0])}" for key, line in lines.items() if len(set(line.y)) == 1]
    text = paragraph(
        "A damped term enters the sum as exp(L − anchor), where the anchor is an earlier value of the same loss L. So "
        "its gradient is multiplied by its gain, exp(L − anchor). At gain 1 the loss equals its anchor. Above 1 it has "
        "risen, and the term pulls harder; below 1 it has fallen, and the term pulls less. Where the gain jumps back "
        "to 1, the anchor was renewed. A term without damping has gain 1, a term that is off has gain 0. The optimiser "
        "receives weight times gain. With a strength b other than 1, the gain is exp(b (L − anchor)), from 1/20 to 20."
    )
    text += paragraph("Not drawn, because they never change: {}.", "; ".join(still)) if still else Html()
    if not shown:
        return text + paragraph("No gain changed in this run.")
    return text + figure("Gain of each damped term. Thin: every step; thick: running median.", *shown)


def _student(history: dict, config: dict, result: dict) -> Html:
    loss = charts.loss_terms(history, "distill") if phases(history) else []
    if no_data := config.get("data") == "none":
        accuracy = charts.agreement_curve(history)
    else:
        accuracy = charts.accuracy_curve(history, result.get("teacher_accuracy"))
    tuned = {**dict.fromkeys(DIGITS, "the 4,000 tuning digits"), "none": "procedural images"}
    tuning = tuned.get(config.get("data"), "at most 4,000 tuning images")
    text = paragraph("No steps of the phase “distill” were recorded.")
    if loss:
        text = figure("The student's loss on generated images. At 0 it gives exactly the teacher's answers.", *loss)
    if not accuracy:
        what = "agreement with the teacher" if no_data else "accuracy"
        return text + paragraph("The student's {} was not measured during training.", what)
    return text + figure(
        f"Measured now and then on {tuning}, which contain no test image. Nothing was chosen by it: the result is that "
        "of the last step.",
        *accuracy,
    )


def _errors(result: dict) -> Html:
    text = paragraph("This run recorded no confusion table.")
    kind = "procedural" if result.get("without_data") else "test"
    if result.get("confusion"):
        heat = charts.confusion(result)
        rows = [(f"{t} → {s}", f"{n:,}", f"{share:.2f} %") for t, s, n, share in heat.worst()]
        text = figure(
            f"Numbers of {kind} images. Grey: both give the same answer. Coloured: they differ; the darker, the larger "
            "the share of that row.",
            heat,
        ) + table("The most frequent disagreements", ["teacher → student", "images", "share of the row"], rows)
    if not result.get("per_class_recall"):
        return text if result.get("without_data") else text + paragraph("Recall per class was not recorded.")
    recall = {who: map(percent, values) for who, values in result["per_class_recall"].items()}
    rows = list(zip(result["classes"], *recall.values(), strict=True))
    caption = "Recall: the share of a class's test images that is recognised. The axis need not begin at 0."
    return text + figure(caption, charts.recall(result)) + table("Recall per class", ["class", *recall], rows)


def _show(value: object) -> str:
    if isinstance(value, list):
        return ", ".join("=".join(map(_show, one)) if isinstance(one, list) else _show(one) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _settings(config: dict, result: dict) -> Html:
    words = Html(" ").join(Html("<span>{}</span>").format(shlex.quote(w)) for w in shlex.split(command(config)))
    rows = config.get("terms") or {}
    names = list(dict.fromkeys(name for term in rows.values() for name in term))
    cells = [(key, *(_show(term.get(name, "")) for name in names)) for key, term in rows.items()]
    few = {key: value for key, value in config.items() if key not in ("settings", "terms")} | config.get("settings", {})
    made = {key: result[key] for key in ("machine", "versions", "seconds", "peak_rss_mb") if key in result}
    few, made = ([(name, _show(value)) for name, value in flat(facts)] for facts in (few, made))
    return (
        paragraph("This command repeats the run:")
        + Html('<pre tabindex="0"><code>{}</code></pre>').format(words)
        + (table("Terms", ["term", *names], cells) if rows else paragraph("config.json contains no table of terms."))
        + table("Settings", ["setting", "value"], few)
        + table("Machine, versions, seconds and memory", ["what", "value"], made)
    )
