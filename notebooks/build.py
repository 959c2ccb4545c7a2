"""Build the notebooks: `make notebooks`, or `python notebooks/build.py [NAME ...]`.

NAME.py (Jupytext percent) is the only source.  It is turned into a notebook, executed in a fresh kernel, cleaned of
widget state and timing, and written as NAME.ipynb.  Edit the .py, never the .ipynb.
"""

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
LIMIT = 1_000_000  # bytes


def sources() -> list[Path]:
    """The notebooks' sources, in order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def read(source: Path) -> nbformat.NotebookNode:
    """The notebook that a source describes, not executed."""
    notebook = jupytext.read(source)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = (
            f"cell-{number}"  # nbformat draws ids at random; a rebuilt notebook should differ only where it changed
        )
    return notebook


def build(source: Path) -> Path:
    """Execute a source and write its notebook; return the notebook's path."""
    notebook = read(source)
    os.environ["RDSKD_LAB_MODE"] = "inline"
    NotebookClient(notebook, timeout=600, store_widget_state=False, resources={"metadata": {"path": HERE}}).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    target = source.with_suffix(".ipynb")
    text = nbformat.writes(notebook)
    if len(text) > LIMIT:
        raise SystemExit(f"{target.name} would have {len(text):,} bytes; the limit is {LIMIT:,}")
    target.write_text(text + "\n")
    return target


if __name__ == "__main__":
    wanted = [HERE / f"{Path(name).stem}.py" for name in sys.argv[1:]] or sources()
    for path in wanted:
        print(build(path).relative_to(HERE.parent), flush=True)
