"""Pages to read: one self-contained HTML file each, with plotly.js once, pictures as data and nothing to fetch.

The parts of a page are Jinja templates, which escape everything that is not marked `Html`.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup as Html  # text that is HTML already; Html("<p>{}</p>").format(x) escapes x

from ..networks.weights import write_whole
from .charts import Drawn, Heat, data_uri
from .style import load


@cache
def _templates() -> Environment:
    autoescape = select_autoescape(("html",))
    return Environment(loader=PackageLoader(__package__), autoescape=autoescape, trim_blocks=True, lstrip_blocks=True)


@cache
def _parts():
    return _templates().get_template("parts.html").module


def figure(caption: str, *shown: Drawn | Heat) -> Html:
    """Show interactive figures, one below the other, and their words; `caption` says how to read them."""
    # to_json writes each < as an escape, so that no label can close the script that holds it
    drawn = [(chart.alt_text(), Html(chart.plotly().to_json())) for chart in shown]
    return _parts().figure(caption, drawn, " ".join(words for words, _ in drawn))


def picture(caption: str, pixels: np.ndarray, alt: str, rows: list[str] = ()) -> Html:
    """Show uint8 pixels (H, W, 3) sharply; `rows` are labels of equally high rows, on its left."""
    file = io.BytesIO()
    load("matplotlib.image").imsave(file, pixels, format="png")
    return _parts().picture(caption, data_uri("image/png", file.getvalue()), alt, rows)


def table(caption: str, head: list[str], rows: list[tuple]) -> Html:
    """Write a table whose first column names its rows; a wide one scrolls on its own."""
    return _parts().table(caption, head, rows)


def numbers(pairs: list[tuple[str, str]]) -> Html:
    """Write large numbers, each (value, what it is)."""
    return _parts().numbers(pairs)


def paragraph(text: str, *values: object) -> Html:
    """Write a paragraph; `text` is HTML, and each {} in it one of `values`, which are escaped."""
    return Html(f"<p>{text}</p>").format(*values)


def page(title: str, lead: str, sections: list[tuple[str, str]]) -> str:
    """Write a whole page.  All text is escaped except what the functions above made.  plotly.js is put in once, and
    only if there is a figure."""
    drawn = any('class="plot"' in part for part in (lead, *(body for _, body in sections)))
    plotly = Html(load("plotly.offline").get_plotlyjs()) if drawn else ""
    return _templates().get_template("page.html").render(title=title, lead=lead, sections=sections, plotly=plotly)


def write_page(path: str | Path, text: str) -> Path:
    """Put `text` at `path`, all of it or nothing."""
    write_whole(path, text.encode())
    return Path(path)
