"""Build the site: `make site`, or `python tools/build_site.py [FOLDER]`.  It needs no network, and nor does the site.

FOLDER is new, empty, or a site made before, which the new one replaces; nothing else is ever removed.

The front page plays the recorded runs of results/page/ (tools/record_tree.py made them).  The other pages are the
notebooks as they were executed and the texts of README, docs/ and results/, each at its own path with .html.  nbconvert
turns notebooks into HTML, mistune texts, latex2mathml formulas into MathML, which browsers draw; the letters for that
are cut out of STIX Two Math, which comes with ziamath.  docs/page.md says what else was tried.
"""

import json
import re
import shutil
import sys
from functools import cache
from html import escape, unescape
from importlib.resources import files
from os.path import relpath
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import nbformat
from badges import BINDER, COLAB, find_repository
from fontTools import subset
from fontTools.ttLib import TTFont
from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from rdskd_lab.lab.sharing.page import page as player_page
from rdskd_lab.lab.sharing.page import player

TOP = Path(__file__).resolve().parents[1]
OUT = TOP / "site"
RECORDED = TOP / "results" / "page"
PICTURES = ".png", ".gif", ".svg"
FIXED = "index.html", "course.html", "play", "math.woff", "site.css"  # at the top, besides pages of texts
TEXTS = ("README.md", "CONTRIBUTING.md", "docs/*.md", "results/*.md", "notebooks/*.md")
NAV = (
    ("index.html", "Play"),
    ("course.html", "Course"),
    ("docs/results.html", "Results"),
    ("docs/lab.html", "Lab"),
    ("docs/own-teacher.html", "Own teacher"),
    ("README.html", "About"),
)
NOT_HERE = "application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json"  # need a kernel, or 4 MB
LEAD = """The training data of a network, the teacher, are gone. A generator learns to make images that the teacher
recognises, and a student learns from them."""
BELOW = """<h2>What you see</h2>
<p>Real runs, recorded once. Random numbers become images; below each stands the teacher’s answer. Three losses train
the generator: the teacher should be sure of each image, all classes should come equally often, and images should
differ. Switch one off: the page goes on with the run that was recorded without it, from the same weights and the same
random numbers. The run as it would be with it, the <em>twin</em>, stays in grey. A difference is called one only if it
is larger than what luck leads to.</p>
<p>The same screen, live and with everything else to change, is <a href="docs/lab.html">the lab</a>. <a
href="course.html">The course</a> explains each loss in a notebook. <a href="play/all.html" download>All runs in one
file</a> ({megabytes:.1f} MB) to copy onto a stick: it needs no network.</p>
{links}"""
COURSE = """<h1>The course</h1>
<p>The notebooks with their outputs, to read. To run them, <a href="docs/install.html">install the
package</a>{links}.</p>
<ul class="course">
{rows}
</ul>
<p>For teachers of a class: <a href="notebooks/INSTRUCTOR.html">the instructor’s guide</a>, <a
href="docs/class-setup.html">setting up a class</a>.</p>"""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{top}site.css">
<header class="site"><b>rdskd-lab</b><nav aria-label="site">{nav}</nav></header>
<main class="{kind}">
{body}
</main>
</html>
"""


# ---- texts and formulas ----------------------------------------------------------------------------------------------


def formula(latex: str, display: str = "inline") -> str:
    """Write a formula as MathML, which a screen reader reads too."""
    latex = latex.replace(r"\arg", r"\operatorname{arg}")  # a command that latex2mathml does not know
    shown = convert(latex, display=display)
    shown = re.sub(r"(<mi>[a-z]{2,}</mi>)(?=<m[a-z])(?!<mo)", r'\1<mspace width="0.17em"/>', shown)  # ln x, not lnx
    if "\\" in unescape(re.sub("<[^>]*>", "", shown)):
        raise SystemExit(
            f"latex2mathml does not know a command in {latex!r}; write it otherwise, or add it to `formula`"
        )
    return f'<span class="display" tabindex="0">{shown}</span>' if display == "block" else shown


class Renderer(IPythonRenderer):
    """Markdown of one of our files as HTML: formulas as MathML, links to what is on the site."""

    def __init__(self, source: str):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.source = source  # path in the repository

    def block_math(self, body):
        return formula(body, "block")

    def inline_math(self, body):
        return formula(body)

    def latex_environment(self, name, body):
        return formula(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")

    def heading(self, text, level, **attrs):
        slug = re.sub(r"[^\w\- ]", "", re.sub("<[^>]*>", "", text).lower()).strip().replace(" ", "-")  # as GitHub's
        return f'<h{level} id="{escape(slug)}">{text}</h{level}>\n'

    def link(self, text, url, title=None):
        place = resolve(self.source, url)
        return f'<a href="{escape(place)}">{text}</a>' if place else text

    def image(self, text, url, title=None):
        return f'<img src="{escape(resolve(self.source, url) or url)}" alt="{escape(text)}" loading="lazy">'


def text_to_html(source: str, text: str) -> str:
    """Turn Markdown into HTML; a wide table scrolls on its own."""
    made = MarkdownWithMath(renderer=Renderer(source)).render(text)
    made = re.sub(r"<table>.*?</table>", r'<div class="wide" tabindex="0">\g<0></div>', made, flags=re.DOTALL)
    return made.replace("<pre>", '<pre tabindex="0">')  # what scrolls must be reached by keyboard


def resolve(source: str, url: str) -> str:
    """Return where a link of a file leads on the site; "" where the site does not have it."""
    if re.match(r"[a-z]+:|#", url):
        return url
    path, mark, anchor = url.partition("#")
    folder = PurePosixPath(source).parent
    target = PurePosixPath(relpath(TOP / folder / path, TOP)).as_posix()
    if target in pages():
        return relpath(pages()[target], folder) + mark + anchor
    if target.startswith("results/") and target.endswith(PICTURES):
        return path
    repository = address()
    return f"https://github.com/{repository}/blob/main/{target}" if repository and (TOP / target).exists() else ""


@cache
def pages() -> dict[str, str]:
    """Path in the repository -> path on the site, of texts and notebooks."""
    found = [path for pattern in TEXTS for path in sorted(TOP.glob(pattern))] + notebooks()
    return {path.relative_to(TOP).as_posix(): path.relative_to(TOP).with_suffix(".html").as_posix() for path in found}


@cache
def notebooks() -> list[Path]:
    """The notebooks, in the order of README's table; those that it does not name come last."""
    named = re.findall(r"\(notebooks/(\w+)\.ipynb\)", (TOP / "README.md").read_text(encoding="utf-8"))
    found = sorted((TOP / "notebooks").glob("*.ipynb"))
    return sorted(found, key=lambda path: named.index(path.stem) if path.stem in named else len(named))


@cache
def address() -> str:
    """OWNER/NAME on GitHub; "" while there is none."""
    return find_repository((TOP / "pyproject.toml").read_text(encoding="utf-8"))


# ---- notebooks -------------------------------------------------------------------------------------------------------


class Notebooks(HTMLExporter):
    """nbconvert's plainest template, with our Markdown."""

    source = ""

    @pass_context
    def markdown2html(self, context, source):
        return text_to_html(self.source, source)


def notebook_to_html(path: Path) -> tuple[str, str]:
    """Return a notebook's title and its cells as HTML; what only a kernel can show gives way to its picture."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.get("jupyter", {}).get("source_hidden")]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in NOT_HERE:
                output.get("data", {}).pop(kind, None)
    exporter = Notebooks(template_name="basic", config=Config({"HTMLExporter": {"exclude_anchor_links": True}}))
    exporter.source = path.relative_to(TOP).as_posix()
    body, _ = exporter.from_notebook_node(notebook)
    body = re.sub(r'(<div class="output_html[^"]*")>(?=<style>)', r'\1 tabindex="0">', body).replace(
        "<pre>", '<pre tabindex="0">'
    )
    body = re.sub(r'(celltag_(picture-[\w-]+)[^"]*" id=")[^"]*', r"\1\2", body)  # which docs/slides.md links to
    return title_of(notebook), body


def title_of(notebook) -> str:
    """Return the first heading of a notebook."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return next(line.lstrip("# ").strip() for text in texts for line in text.splitlines() if line.startswith("# "))


# ---- the site --------------------------------------------------------------------------------------------------------


def write(out: Path, place: str, title: str, body: str, kind: str = "text") -> None:
    """Write a page of the site, with the links that each has."""
    top = relpath(".", PurePosixPath(place).parent) + "/"
    top = "" if top == "./" else top
    here = {place: ' aria-current="page"'}
    nav = "".join(f'<a href="{top}{to}"{here.get(to, "")}>{words}</a>' for to, words in NAV)
    path = out / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PAGE.format(title=escape(title), top=top, nav=nav, kind=kind, body=body), encoding="utf-8")


def play_pages(out: Path) -> float:
    """Write the players: the tree on the front page, a page for each other run, and one file of all.  Return its MB."""
    order = ["tree", "readable", "dafl", "collapse", "explodes", "colour"]
    runs = {
        name: json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
        for name in order
        if (RECORDED / f"{name}.json").exists()
    }
    (out / "play").mkdir()
    everything = out / "play" / "all.html"
    everything.write_text(player_page("rdskd-lab: recorded runs", player([*runs.values()])), encoding="utf-8")
    size = everything.stat().st_size / 1e6
    for name, run in runs.items():
        at = "" if name == "tree" else "../"
        others = [
            run
            if other == name
            else {
                "title": runs[other]["title"],
                "href": f"{at}index.html" if other == "tree" else f"{at}play/{other}.html",
            }
            for other in runs
        ]
        if name == "tree":
            lead = f"<h1>Train a student without data</h1><p class=lead>{LEAD}</p>"
            body = lead + player(others) + BELOW.format(megabytes=size, links=repository_links())
            write(out, "index.html", "rdskd-lab: train a student without data", body, "play")
        else:
            write(
                out,
                f"play/{name}.html",
                f"rdskd-lab: {run['title']}",
                f"<h1>{run['title']}</h1>{player(others)}",
                "play",
            )
    return size


def repository_links() -> str:
    """Links to Binder and GitHub, once the repository has an address."""
    if not address():
        return ""
    binder = f"{BINDER}/v2/gh/{address()}/main?urlpath=lab/tree/notebooks"
    return f'<p><a href="{binder}">Run it on Binder</a> · <a href="https://github.com/{address()}">the code</a></p>'


def course_pages(out: Path) -> None:
    """Write the notebooks, and the list of them."""
    rows, found = [], [(path, *notebook_to_html(path)) for path in notebooks()]
    for k, (path, title, body) in enumerate(found):
        near = [("← ", found[k - 1])] if k else []
        near += [("", found[k + 1])] if k + 1 < len(found) else []
        links = " · ".join(
            f'<a href="{other.stem}.html">{arrow}{escape(words)}{"" if arrow else " →"}</a>'
            for arrow, (other, words, _) in near
        )
        body += f'<nav class="near" aria-label="notebooks">{links}</nav>'
        write(out, f"notebooks/{path.stem}.html", title, body, "notebook")
        colab = f"{COLAB}/github/{address()}/blob/main/notebooks/{path.name}"
        live = f' · <a href="{colab}">on Colab</a>' if address() else ""
        rows.append(f'<li><a href="notebooks/{path.stem}.html">{escape(title)}</a>{live}</li>')
    links = (
        f', or <a href="{BINDER}/v2/gh/{address()}/main?urlpath=lab/tree/notebooks">open Binder</a>'
        if address()
        else ""
    )
    write(out, "course.html", "The course", COURSE.format(rows="\n".join(rows), links=links))


def text_pages(out: Path) -> None:
    """Write README, docs and results, and copy their pictures."""
    for source, place in pages().items():
        if source.endswith(".md"):
            text = (TOP / source).read_text(encoding="utf-8")
            title = re.search("^# (.+)", text, re.MULTILINE)[1]
            write(out, place, re.sub("[`*]", "", title), text_to_html(source, text))
    for path in (TOP / "results").iterdir():
        if path.suffix in PICTURES:
            shutil.copy(path, out / "results" / path.name)


def font(out: Path) -> None:
    """Cut the letters that the formulas need out of STIX Two Math (SIL Open Font License)."""
    texts = (path.read_text("utf-8") for path in out.rglob("*.html"))
    formulas = (one for text in texts for one in re.findall("<math.*?</math>", text, re.DOTALL))
    used = {letter for one in formulas for letter in unescape(re.sub("<[^>]*>", "", one))}
    whole = TTFont(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf")
    cutter = subset.Subsetter(subset.Options(layout_features=["ssty"], flavor="woff"))
    cutter.populate(text="".join(used) + "".join(map(chr, range(32, 127))))
    cutter.subset(whole)
    whole.flavor = "woff"
    whole.save(out / "math.woff")


def refuse(out: Path) -> None:
    """Refuse a place where something lies that is not a site made before: it would be lost."""
    if TOP.is_relative_to(out):
        raise SystemExit(f"{out} holds the repository, which the site would replace; name a new folder")
    if not out.exists():
        return
    there = {path.name for path in out.iterdir()} if out.is_dir() else {out.name}
    ours = {PurePosixPath(place).parts[0] for place in (*pages().values(), *FIXED)}
    if there and not (there <= ours and there >= {"index.html", "site.css", "math.woff"}):
        other = ", ".join(sorted(there - ours)[:3]) or "other files"
        raise SystemExit(f"{out} is no site made before (it holds {other}), so it stays as it is; name a new folder")


def build(out: Path) -> None:
    """Build the whole site anew, and only then put it in the place of the old one; refuse any other place."""
    refuse(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{out.name}.new-", dir=out.parent) as held:
        draft = Path(held) / "site"
        draft.mkdir()
        size = write_site(draft)
        if out.exists():
            out.rename(Path(held) / "old")
        draft.rename(out)
    total = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    front = (out / "index.html").stat().st_size / 1e6
    print(f"{out}: {total:.1f} MB; the front page {front:.2f} MB, all runs in one file {size:.1f} MB")


def write_site(draft: Path) -> float:
    """Write the whole site into an empty folder.  Return the MB of the file of all runs."""
    size = play_pages(draft)
    course_pages(draft)
    text_pages(draft)
    font(draft)
    code = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    page_css = (files("rdskd_lab.lab.sharing") / "page.css").read_text("utf-8")
    style = (Path(__file__).with_name("site.css")).read_text("utf-8")
    (draft / "site.css").write_text(
        f"{page_css}\n{style}\n{code}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n", "utf-8"
    )
    return size


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else OUT)
