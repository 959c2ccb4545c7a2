"""Build the slides: `make slides`, or `python tools/slides.py [TARGET]`, writes build/slides.html.

docs/slides.md (Jupytext Markdown) is the only source.  Its pictures are files, or those of committed notebooks: a link
`[words](../notebooks/NAME.ipynb#TAG)` becomes the picture of the cell with that tag.  The page holds everything it
shows and fetches nothing; the key S opens the speaker's notes.

reveal.js comes from the wheel of sphinx-revealjs, which carries it: downloaded once by pip, checked, and never run.
"""

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jupytext
import nbformat
from nbconvert.exporters import SlidesExporter

TOP = Path(__file__).resolve().parents[1]
SOURCE, TARGET = TOP / "docs" / "slides.md", TOP / "build" / "slides.html"
WHEEL = "sphinx_revealjs-3.2.1-py3-none-any.whl"  # MIT-licensed reveal.js 5.2.0
SHA256 = "805bed3ca459346e0f01967d5ed1c40d6b7b917de1541e1e4566c8341fe7017b"
INSIDE = "sphinx_revealjs/_static/revealjs/"
STYLES, SCRIPTS = (
    ("dist/reset.css", "dist/reveal.css", "dist/theme/white.css"),
    ("dist/reveal.js", "plugin/notes/notes.js"),
)
LOOK = """
.reveal { font-size: 30px; }
.reveal h1, .reveal h2 { text-transform: none; letter-spacing: 0; }
.reveal h1 { font-size: 2em; } .reveal h2 { font-size: 1.45em; }
.reveal .slides section { text-align: left; }
.reveal table { margin: 0.6em 0; font-size: 0.85em; }
.reveal blockquote { width: auto; margin: 1em 0; padding: 0.4em 1em; font-size: 1.2em; }
.reveal pre { width: 100%; box-shadow: none; font-size: 0.75em; background: #f4f6f8; padding: 0.5em 1em; }
.reveal pre code { max-height: none; }
.reveal td:nth-child(2) { white-space: nowrap; }
.reveal img { max-width: 100%; max-height: 500px; margin: 0.3em auto; display: block; }
.reveal img[src^="data:image/svg"] { width: 100%; }
.reveal sup, .reveal sub { line-height: 0; }
.reveal img.file { max-height: 590px; margin-top: 0; }
.reveal p + img.file, .reveal p + p img.file { max-height: 525px; }
.reveal .anchor-link, .jp-InputPrompt { display: none; }
"""
PAGE = """{% extends 'reveal/base.html.j2' %}
{% block header %}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ resources.deck.title }}</title>
{% for style in resources.deck.styles %}<style>{{ style }}</style>{% endfor %}
</head>{% endblock header %}
{% block body_header %}<body><div class="reveal"><div class="slides">{% endblock body_header %}
{% block body_footer %}</div></div>
{% for script in resources.deck.scripts %}<script>{{ script }}</script>{% endfor %}
<script>Reveal.initialize({ width: 1120, height: 700, margin: 0.04, hash: true, center: false, slideNumber: 'c/t',
  transition: 'none', plugins: [RevealNotes] });</script>
</body>{% endblock body_footer %}
{% block footer %}</html>{% endblock footer %}"""


def reveal() -> tuple[list[str], list[str]]:
    """Return reveal.js: (style sheets, scripts), from a wheel that is downloaded once into build/."""
    wheel = TARGET.parent / WHEEL
    if not wheel.is_file():
        name, version = WHEEL.split("-")[:2]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        if subprocess.run([*pip, f"{name}=={version}", "--dest", wheel.parent]).returncode:
            raise SystemExit(f"reveal.js is needed once: put {WHEEL} into {wheel.parent}, or run this with a network")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{wheel} is not the file that was expected; delete it and run this again")
    with zipfile.ZipFile(wheel) as files:
        styles, scripts = ([files.read(INSIDE + name).decode() for name in names] for names in (STYLES, SCRIPTS))
    fetched = r"@import [^;]*;"  # fonts that would be fetched; the page uses those of the machine
    return [re.sub(fetched, "", text) for text in styles], [text.replace("</script", r"<\/script") for text in scripts]


def picture(notebook: Path, tag: str) -> str:
    """Return the picture of the cell with a tag, as the committed notebook shows it."""
    for cell in nbformat.read(notebook, 4).cells:
        if tag in cell.metadata.get("tags", []):
            for output in cell.get("outputs", []):
                if "text/html" in output.get("data", {}):
                    return "".join(re.findall(r"<img [^>]*>", output.data["text/html"]))
    raise SystemExit(f"{notebook.name} has no picture in a cell with the tag {tag!r}")


def inline(markdown: str, folder: Path) -> str:
    """Put the pictures of a slide into its text: those of notebooks, and those that are files."""

    def file(match: re.Match) -> str:
        content = base64.b64encode((folder / match[2]).read_bytes()).decode()
        return f'<img class="file" alt="{match[1]}" src="data:image/png;base64,{content}">'

    markdown = re.sub(r"!\[([^\]]+)\]\(([^)]+\.png)\)", file, markdown)
    return re.sub(r"\[[^\]]+\]\(([^)#]+\.ipynb)#([\w-]+)\)", lambda m: picture(folder / m[1], m[2]), markdown)


def build(source: Path = SOURCE) -> str:
    """Return the slides as one HTML page."""
    deck = jupytext.read(source)
    for cell in deck.cells:
        cell.source = inline(cell.source, source.parent)
    styles, scripts = reveal()
    title = deck.cells[0].source.splitlines()[0].lstrip("# ")
    resources = {"deck": {"title": title, "styles": [*styles, LOOK], "scripts": scripts}}
    return SlidesExporter(raw_template=PAGE).from_notebook_node(deck, resources)[0]


if __name__ == "__main__":
    target = Path(sys.argv[1]) if sys.argv[1:] else TARGET
    TARGET.parent.mkdir(exist_ok=True)
    partly = target.with_suffix(".part")
    partly.write_text(build(), encoding="utf-8")
    os.replace(partly, target)
    print(f"Wrote {target}: open it in a browser; the key S opens the speaker's notes.")
