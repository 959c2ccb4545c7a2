"""A still of the lab's screen as one SVG file: what a saved notebook shows where no kernel and no script runs.

It is drawn from the same state as the live screen (see `widgets/screen.js`): samples with the teacher's answers,
numbers, cards of the terms, curves.  The file follows light and dark by itself.
"""

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from ...reporting.draw_svg import DARK, LIGHT
from ...reporting.history import number

WIDE, GAP = 1008, 16
TILE, LABEL = 57, 17  # of the sheet: a tile's pitch, the height of the line below it
LEFT = 8 * TILE  # width of the sheet
RIGHT, CHART = LEFT + 2 * GAP, 118  # where the charts begin, and how high each is
STYLE = (
    "text{font:13px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}.h{font-weight:650;font-size:15px}"
    ".n{font-weight:650;font-size:22px}.b{font-weight:600}.q{fill:var(--quiet)}.s{font-size:12px}.e{text-anchor:end}"
    ".m{text-anchor:middle}.box{fill:none;stroke:var(--faint)}.line{fill:none;stroke-width:1.9}"
    ".twin{stroke:var(--quiet);stroke-dasharray:5 3}.anchor{stroke:var(--ink);stroke-width:1.3;stroke-dasharray:1.5 3}"
    "image{image-rendering:pixelated}"
)


def still(state: dict) -> str:
    """Draw a state as an SVG file."""
    run, live = state["run"], state["live"]
    rows = -(-len(live["sheet"]["labels"]) // live["sheet"]["columns"])
    top = 64 + 92 * -(-len(run["terms"]) // 3) + 12
    end = top + 26 + rows * (TILE + _below(run)) + 92
    parts = [*_head(run, live), *_cards(run, live), *_sheet(run, live, top), *_shares(run, live, end - 84)]
    parts += [*_charts(run, live, top), *_sentences(live, end - 84)]
    look = f":root{{{LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}{STYLE}"
    ground = f'<rect x="-8" y="-8" width="{WIDE + 16}" height="{end + 16}" rx="4" style="fill:var(--page)"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {WIDE + 16} {end + 16}" width="{WIDE + 16}" '
        f'height="{end + 16}" role="img" aria-label="{escape(words(state))}"><style>{look}</style>{ground}'
        f"{''.join(parts)}</svg>"
    )


def words(state: dict) -> str:
    """Say in words what the still shows."""
    run, live = state["run"], state["live"]
    sheet, classes = live["sheet"], run["classes"]
    found = [(sheet["labels"].count(k), name) for k, name in enumerate(classes)]
    tally = ", ".join(f"{n} of class {name}" for n, name in found if n)
    terms = ", ".join(
        f"{term['name']} {_short(live['terms'][term['key']]['raw'])}"
        f"{'' if live['terms'][term['key']]['on'] else ' (off)'}"
        for term in run["terms"]
    )
    student = live["numbers"]["student"]
    learnt = "" if student is None else f"; {run['student_label']}: {student:.0%}"
    return (
        f"{len(sheet['labels'])} generated images after {live['step']:,} steps; the teacher sees {tally} and is "
        f"{live['numbers']['certainty'] or 0:.0%} sure on average; {terms}{learnt}."
    )


def _head(run: dict, live: dict) -> Iterator[str]:
    yield _text(0, 18, f"Step {live['step']:,}", "h")
    yield _text(0, 38, f"{run['method_title']}, seed {run['seed']}", "q")
    numbers, at = live["numbers"], WIDE
    student = "-" if numbers["student"] is None else f"{numbers['student']:.0%}"
    for value, label in (
        (student, run["student_label"]),
        (f"{numbers['certainty'] or 0:.0%}", "teacher's certainty"),
        (f"{numbers['classes'] or 0:.1f}", f"classes of {numbers['of']}"),
    ):
        yield _text(at, 20, value, "n e") + _text(at, 38, label, "q s e")
        at -= max(7 * len(label), 90) + 2 * GAP


def _cards(run: dict, live: dict) -> Iterator[str]:
    wide = (WIDE - 2 * GAP) / 3
    for k, term in enumerate(run["terms"]):
        now, x, y = live["terms"][term["key"]], (k % 3) * (wide + GAP), 56 + 92 * (k // 3)
        colour = _colour(term, k) if now["on"] else "var(--quiet)"
        pull = now["pull"] or 0 if now["on"] else 0  # none where a gain is infinite, as where the guard stopped a run
        yield f'<rect class="box" x="{x:.0f}" y="{y}" width="{wide:.0f}" height="82" rx="5"/>'
        yield f'<rect x="{x:.0f}" y="{y}" width="{wide * pull:.0f}" height="4" style="fill:{colour}"/>'
        key = f"{term['key']}, {term['note']}" if term.get("extra") else term["key"]
        key = f'<tspan class="q s" dx="6">{escape(key)}</tspan>'
        yield _text(x + 10, y + 24, f"{escape(term['title'])}{key}", "h", raw=True)
        yield _text(x + wide - 10, y + 24, f"pull {pull:.0%}" if now["on"] else "off", "q s e")
        yield _text(x + 10, y + 44, term["purpose"][:50], "q")
        gain = "-" if now["gain"] is None else f"{now['gain']:.2f}"
        damped = f"damped, strength {now['strength']:g}, gain {gain}" if now["damped"] else "not damped"
        yield _text(x + 10, y + 68, f"weight {now['weight']:g}; {damped}")


def _sheet(run: dict, live: dict, top: float) -> Iterator[str]:
    sheet = live["sheet"]
    columns, rows = sheet["columns"], -(-len(sheet["labels"]) // sheet["columns"])
    source = f'href="data:image/png;base64,{sheet["png"]}"'
    yield f'<defs><image id="sheet" width="{columns}" height="{rows}" preserveAspectRatio="none" {source}/></defs>'
    yield _text(0, top + 14, "What the generator makes", "h")
    for row in range(rows):  # each row of the mosaic apart, with room for the answers below it
        y = top + 26 + row * (TILE + _below(run))
        box = f'y="{y}" width="{LEFT}" height="{TILE}" viewBox="0 {row} {columns} 1" preserveAspectRatio="none"'
        yield f'<svg {box}><use href="#sheet"/></svg>'
        gaps = "".join(f"M{k * TILE} {y}v{TILE}" for k in range(1, columns))
        yield f'<path d="{gaps}" style="stroke:var(--page);stroke-width:3"/>'
        for k in range(columns):
            i = row * columns + k
            if i < len(sheet["labels"]):
                name, last = run["classes"][sheet["labels"][i]], y + TILE + _below(run) - 4
                yield _text(k * TILE + 2, y + TILE + 13, _cut(name, TILE), "b s")
                yield _text(k * TILE + TILE - 4, last, f"{sheet['certainty'][i]:.0%}", "q s e")


def _shares(run: dict, live: dict, top: float) -> Iterator[str]:
    shares, twin = live["shares"], live["twin_shares"] or []
    tallest, pitch = max([*shares, *twin, 2 / len(shares)]), LEFT / len(shares)
    yield _text(0, top + 12, "What the teacher sees in the latest batches", "b")
    for colour, values, room in (("var(--quiet)", twin, 0.02), ("var(--c0)", shares, 0.14)):
        for k, share in enumerate(values):
            high, x, wide = 48 * share / tallest, (k + room) * pitch, (1 - 2 * room) * pitch
            ink = f"fill:{colour}{';opacity:.45' if room < 0.1 else ''}"
            yield f'<rect x="{x:.1f}" y="{top + 68 - high:.1f}" width="{wide:.1f}" height="{high:.1f}" style="{ink}"/>'
    even = top + 68 - 48 / len(shares) / tallest
    yield f'<path d="M0 {even:.1f}H{LEFT}" class="anchor"/><path d="M0 {top + 68}H{LEFT}" class="box"/>'
    for k, name in enumerate(run["classes"] if len(shares) <= 20 else ()):
        yield _text((k + 0.5) * pitch, top + 83, _cut(name, pitch), "b s m")


def _charts(run: dict, live: dict, top: float) -> Iterator[str]:
    """Draw a chart for each of at most four terms, and the student's where there is room."""
    charts, fluctuation, twin = live["charts"], live["fluctuation"] or {"terms": {}}, live["twin"]["on"]
    legend = "this run" + (", dashed: twin" if twin else "") + ", dotted: anchor"
    yield _text(RIGHT, top + 14, "Losses on the fixed probe images", "h") + _text(WIDE, top + 14, legend, "q s e")
    drawn = []
    for k, term in enumerate(run["terms"][:4]):
        data, found = charts["terms"][term["key"]], fluctuation["terms"].get(term["key"])
        lines = [("twin", data["twin"] or [], ""), ("anchor", data["anchor"] or [], "")]
        lines = lines if live["terms"][term["key"]]["damped"] else lines[:1]
        colour = _colour(term, k) if live["terms"][term["key"]]["on"] else "var(--quiet)"
        lines.append(("", data["probe"], f"stroke:{colour}"))
        drawn.append((term["title"], _f(found), data["steps"], lines))
    if len(drawn) < 4 and charts["student"]["steps"]:
        data = charts["student"]
        lines = [("twin", data["twin"] or [], ""), ("", data["value"], "stroke:var(--ink)")]
        drawn.append(("Student", run["student_label"], data["steps"], lines))
    wide = (WIDE - RIGHT - GAP) / 2
    for k, (title, note, steps, lines) in enumerate(drawn):
        x, y = RIGHT + (k % 2) * (wide + GAP), top + 42 + (k // 2) * (CHART + 66)
        yield _text(x, y, title, "b") + _text(x, y + 16, note, "q s")
        yield from _chart(x + 42, y + 24, wide - 42, CHART, steps, lines, live["step"])


def _chart(x: float, y: float, wide: float, high: float, steps: list, lines: list, until: int) -> Iterator[str]:
    """Draw lines over `steps` in a box at (x, y); the anchor does not set the range."""
    values = [v for kind, line, _ in lines if kind != "anchor" for v in line if v is not None]
    low, top = (min(values), max(values)) if values else (0, 1)
    low, top = low - 0.05 * (top - low or 1), top + 0.05 * (top - low or 1)
    first, last = (steps[0], max(until, steps[0] + 1)) if steps else (0, 1)
    yield f'<path class="box" d="M{x:.0f} {y:.0f}V{y + high:.0f}H{x + wide:.0f}"/>'
    for kind, line, ink in lines:
        d, pen = "", "M"
        for step, value in zip(steps, line, strict=False):
            if value is None or not low <= value <= top:
                pen = "M"
                continue
            at = x + wide * (step - first) / (last - first), y + high * (top - value) / (top - low)
            d, pen = f"{d}{pen}{at[0]:.1f} {at[1]:.1f}", "L"
        yield f'<path class="line {kind}" style="{ink}" d="{d}"/>' if d else ""
    yield _text(x - 6, y + 10, _short(top), "q s e") + _text(x - 6, y + high, _short(low), "q s e")
    yield _text(x, y + high + 16, f"{first:,}", "q s") + _text(x + wide, y + high + 16, f"step {until:,}", "q s e")


def _sentences(live: dict, top: float) -> Iterator[str]:
    said = filter(None, [(live["fluctuation"] or {}).get("sentence"), live["twin"].get("sentence")])
    lines = [line for sentence in said for line in wrap(sentence, 76)]
    for k, line in enumerate(lines[:4]):
        yield _text(RIGHT, top + 20 + 18 * k, line)


def _f(found: dict | None) -> str:
    """'F 3.8 ± 0.5; twin 3.7 ± 0.5', in thousandths."""
    both = [(who, found[who]) for who in ("mine", "twin") if found.get(who)] if found else []
    return "; ".join(f"{'F' if who == 'mine' else who} {1e3 * a:.1f} ± {1e3 * (e or 0):.1f}" for who, (a, e) in both)


def _below(run: dict) -> int:
    """Return the height below a row of images: one line where names are as short as digits, else two."""
    return LABEL if max(map(len, run["classes"])) <= 2 else 2 * LABEL - 3


def _cut(name: str, room: float) -> str:
    """Cut a name to what `room` pixels hold of small bold text."""
    most = int(room / 8)
    return name if len(name) <= most else name[: most - 1] + "…"


def _colour(term: dict, k: int) -> str:
    return f"var(--c{int(term.get('colour', k)) % 6})"


def _short(value: float | None) -> str:
    return "-" if value is None else number(value)


def _text(x: float, y: float, text: str, kind: str = "", raw: bool = False) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{text if raw else escape(text)}</text>'
