"""Build the notebooks: `make notebooks`, or `python tools/build_notebooks.py [--instructor FOLDER] [NAME ...]`.

NAME.py (Jupytext percent) is the only source.  It is turned into a notebook, executed in a fresh kernel, cleaned of
widget state and timing, and written as NAME.ipynb.  Edit the .py, never the .ipynb.

With `--instructor FOLDER` the instructor's version goes there instead: each exercise is solved, and followed by its
typical errors and what the check says to them.
"""

import argparse
import os
import re
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell

TOP = Path(__file__).resolve().parents[1]
NOTEBOOKS, SOURCES = TOP / "notebooks", TOP / "notebooks" / "src"
LIMIT = 1_000_000  # bytes
COLAB = """# On Google Colab this installs the course; anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    import subprocess

    from google.colab import output

    if hasattr(output, "enable_custom_widget_manager"):  # for the live lab
        output.enable_custom_widget_manager()
    address = "{address}"
    if address:  # without dependencies: what Colab brings fits, and stays as it is
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, f"git+{{address}}"], check=True)
    else:
        print("This copy does not know where it came from: upload the course's folder, then")
        print("%pip install --no-deps FOLDER")"""


def sources() -> list[Path]:
    """The notebooks' sources: the course in order, then those without a number."""
    return sorted(SOURCES.glob("*.py"))


def colab() -> nbformat.NotebookNode:
    """The guarded first cell; it knows the package's address once pyproject.toml does."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    cell = new_code_cell(COLAB.format(address=project["tool"]["rdskd-lab"]["repository"]))
    cell.metadata["jupyter"] = {"source_hidden": True}  # JupyterLab folds it: nobody there need read it
    return cell


def read(source: Path) -> nbformat.NotebookNode:
    """The learner's notebook of a source, not executed: Colab's cell after the title, blanks as they are."""
    notebook = jupytext.read(source)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook.cells.insert(1, colab())
    return _numbered(notebook)


def teach(source: Path) -> nbformat.NotebookNode:
    """The instructor's notebook, not executed: each exercise solved, and its typical errors after it."""
    from rdskd_lab.course.lesson import find_exercises

    notebook, exercises = read(source), find_exercises(source.stem)
    cells = [
        new_markdown_cell(f"*Instructor's version of {source.stem}: exercises are solved, typical errors follow.*")
    ]
    for cell in notebook.cells:
        cells.append(cell)
        if number := exercise(cell):
            answer = exercises[number - 1]
            cell.source = f"{answer.source()}\n\n\nlesson[{number}].check({answer.answer.__name__})"
            cells.append(new_code_cell(f"lesson[{number}].typical_errors()"))
    notebook.cells = cells
    return _numbered(notebook)


def exercise(cell: nbformat.NotebookNode) -> int | None:
    """The number of the exercise whose blank a cell is, by its tag "exercise-1"; None of any other cell."""
    found = [re.fullmatch(r"exercise-(\d)", tag) for tag in cell.metadata.get("tags", [])]
    return next((int(match[1]) for match in found if match), None)


def execute(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run all cells in a fresh kernel, a lab inline, and keep what a reader needs."""
    where = {"metadata": {"path": NOTEBOOKS}}
    client = NotebookClient(notebook, timeout=600, store_widget_state=False, resources=where)
    client.execute(env=os.environ | {"RDSKD_LAB_MODE": "inline"})
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def write(notebook: nbformat.NotebookNode, target: Path) -> Path:
    """Write a notebook, unless it is too large to be looked at."""
    text = nbformat.writes(notebook)
    if len(text) > LIMIT:
        raise SystemExit(f"{target.name} would have {len(text):,} bytes; the limit is {LIMIT:,}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")
    return target


def _numbered(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    # nbformat draws ids at random; a rebuilt notebook should differ only where it changed.
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def main(words: list[str]) -> None:
    """Build the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--instructor", type=Path, metavar="FOLDER")
    asked = parser.parse_args(words)
    for source in [SOURCES / f"{Path(name).stem}.py" for name in asked.names] or sources():
        describe, folder = (teach, asked.instructor) if asked.instructor else (read, NOTEBOOKS)
        print(write(execute(describe(source)), folder / f"{source.stem}.ipynb"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
