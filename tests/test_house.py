"""The rules of the house, read from the source: which way imports point, how much there is, what an import loads."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import rdskd_lab

HOUSE = Path(rdskd_lab.__file__).parent
CORE = ("losses", "objective", "batch", "sources", "loops", "methods")

# Each file may import those of its row, and whatever they may import.
BELOW = {
    "losses": (), "models": (), "modes": (), "data": (), "weights": (),
    "batch": ("modes",),
    "objective": ("batch", "losses"),
    "sources": ("batch",), "lean": ("sources",),
    "guard": ("objective",), "networks": ("models", "weights"),
    "loops": ("batch", "losses", "objective", "sources", "guard"),
    "pool": ("batch",),
    "parts": ("loops", "pool", "lean"),
    "methods": ("losses", "objective", "loops", "parts"),
    "sheets": ("loops", "sources"), "controls": ("parts",),
    "field": ("methods", "sheets", "controls"),
    "metrics": ("batch", "data"), "images": ("loops",),
    "stages": ("pool", "methods", "models", "lean"),
    "teaching": ("stages", "metrics", "weights"),
    "plots": (), "standings": ("plots",), "evidence": ("plots",), "report": ("plots", "weights"),
    "limits": (), "frontend": (), "checkup": ("limits", "frontend", "data", "stages", "weights"), "doctor": ("checkup",),
    "folder": ("stages", "weights"),
    "compare": ("runs", "images", "standings"), "studies": ("compare",), "claims": ("studies",), "scoreboard": ("claims", "evidence"),
    "runs": ("folder", "metrics", "images", "report", "field", "networks"),
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function; ours by their name within the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = "." * (node.level - 1)
            found |= {f".{base}{node.module}"} if node.module else {f".{base}{a.name}" for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{a.name}" for a in node.names} if node.module == "rdskd_lab" else {node.module}
    return {name.replace("rdskd_lab.", ".", 1) if name.startswith("rdskd_lab.") else name for name in found}


def ours(name: str) -> set[str]:
    return {i[1:].split(".")[0] for i in imports(HOUSE / f"{name}.py") if i.startswith(".")} - {"__version__"}


def under(name: str) -> set[str]:
    return set(BELOW[name]).union(*(under(n) for n in BELOW[name]))


@pytest.mark.parametrize("name", BELOW)
def test_imports_point_one_way(name):
    if not (HOUSE / f"{name}.py").exists():
        pytest.skip(f"there is no {name}.py")
    assert ours(name) <= under(name), f"{name}.py imports {ours(name) - under(name)}"


def test_losses_and_models_import_nothing_of_ours():
    assert ours("losses") == ours("models") == set()


def test_nobody_but_the_top_knows_runs_report_or_plots_and_nothing_imports_lab_or_course():
    top = {"runs", "folder", "report", "plots", "standings", "evidence", "compare", "studies", "claims", "scoreboard", "__main__"}
    for path in HOUSE.glob("*.py"):
        if path.stem not in top:
            assert not ours(path.stem) & top, path.name
        assert not ours(path.stem) & {"lab", "course"}, path.name
        assert "__main__" not in ours(path.stem), path.name


def test_no_star_import_and_no_utils():
    for path in HOUSE.rglob("*.py"):
        names = [
            a.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom) for a in n.names
        ]
        assert "*" not in names, path.name
    assert not (HOUSE / "utils.py").exists()


def test_the_core_is_short(capsys):
    lines = {name: len((HOUSE / f"{name}.py").read_text().splitlines()) for name in CORE}
    with capsys.disabled():
        print(
            "\ncore:", ", ".join(f"{name} {n}" for name, n in lines.items()), "- together", sum(lines.values()), "lines"
        )
    assert sum(lines.values()) <= 600


def test_every_function_and_class_of_the_core_that_has_a_public_name_says_what_it_is():
    for name in (*CORE, "pool", "stages", "models", "parts", "field", "sheets", "controls", "networks"):
        tree = ast.parse((HOUSE / f"{name}.py").read_text())
        assert ast.get_docstring(tree), f"{name}.py"
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{name}.{node.name}"


@pytest.mark.parametrize("module", ["rdskd_lab", "rdskd_lab.doctor"])
def test_importing_the_package_or_its_doctor_loads_no_plotting_widgets_or_torchvision(module, tmp_path):
    heavy = (
        "plotly",
        "matplotlib",
        "ipywidgets",
        "torchvision",
        "IPython",
        "pandas",
        "rdskd_lab.runs",
        "rdskd_lab.report",
    )
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "script", [*HOUSE.parent.glob("results/*.py"), *HOUSE.parent.glob("notebooks/*.py")], ids=lambda path: path.name
)
def test_scripts_and_notebooks_ask_the_package_for_names_that_it_has(script):
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rdskd_lab"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
