"""Write docs/messages.md: `python tools/messages.py`.  Every sentence that a check can print, read from the code.

A sentence is what a `raise` or a warning makes of strings; what is put in at run time is shown as {its expression}.
"""

import ast
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PACKAGE, TARGET = TOP / "rdskd_lab", TOP / "docs" / "messages.md"
FOLDERS = {
    "methods/checks.py": "The check of both networks",
    "networks": "Networks and weights",
    "datasets": "Data",
    "runs": "Runs",
    "studies": "Studies",
    "cli.py": "The command line",
}
SAYS = {"warn": "warning", "_note": "note"}  # functions that print -> what they print
HEAD = """# Every sentence that a check can print

Written by `python tools/messages.py` from the code; a test compares the two. On the command line each comes on stderr
after `rdskd-lab:`. In Python the refusals are a `ValueError`, the warnings a `NetworkWarning`. {Braces} stand for a
value; text in [brackets] appears only where it applies; a *part* is used inside one of the sentences around it.
"""


PARTS = {"_foreign_kind", "_closed", "_not_there"}  # functions that return part of a sentence
LISTS = {"BEGINNINGS", "MEMBERS"}  # tables whose last column is part of one


def sentences(path: Path) -> list[tuple[str, str]]:
    """List (kind, sentence) of a file, in the order of its lines: kind is refused, warning, note or part."""
    found, tree = [], ast.parse(path.read_text("utf-8"))
    shared = _strings(tree.body)
    for scope in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
        known = shared | _strings(list(ast.walk(scope)))
        for node in ast.walk(scope):
            if isinstance(node, ast.FunctionDef) and node is not scope:
                continue
            kind, part = _said(node, scope)
            text = _text(part, known) if part is not None else ""
            if text.count(" ") > 2 and not text.startswith("{error}"):
                found.append((node.lineno, kind, text))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in LISTS:
            found += [(row.lineno, "part", _text(row.elts[-1], shared)) for row in node.value.elts]
    return list(dict.fromkeys((kind, text) for _, kind, text in sorted(found)))


def _said(node: ast.AST, scope: ast.FunctionDef) -> tuple[str, ast.expr | None]:
    """Return what kind of thing a statement or call says, and the expression of its words."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
        return "refused", node.exc.args[0]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYS and node.args:
        noted = any(getattr(a, "id", "") == "NetworkNote" for a in node.args[1:])
        return "note" if noted else SAYS[node.func.id], node.args[0]
    if isinstance(node, ast.Return) and scope.name in PARTS:
        return "part", node.value
    return "", None


def _strings(nodes: list) -> dict[str, ast.expr]:
    """Return the names that are given words once, and the words."""
    given = [n for n in nodes if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)]
    names = [n.targets[0].id for n in given]
    return {n.targets[0].id: n.value for n in given if names.count(n.targets[0].id) == 1 and _has_words(n.value)}


def _has_words(node: ast.expr) -> bool:
    kinds = ast.Constant | ast.JoinedStr | ast.IfExp | ast.BinOp
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return isinstance(node, kinds) and any(isinstance(c, str) and " " in c.strip() for c in constants)


def _text(node: ast.expr, known: dict[str, ast.expr]) -> str:
    """Write what makes a string as a person reads it: the words as they are, an expression in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value, known) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, known)
    if isinstance(node, ast.Name) and node.id in known:
        return _text(known[node.id], {name: value for name, value in known.items() if name != node.id})
    if isinstance(node, ast.IfExp):
        one, other = _text(node.body, known), _text(node.orelse, known)
        return f"[{one or other}]" if not (one and other) else f"[{one} | {other}]"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, known) + _text(node.right, known)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):  # words * whether
        return f"[{_text(node.left, known)}]"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        of = node.func
        if of.attr == "format":
            return _text(of.value, known)
        if of.attr == "join" and node.args and isinstance(node.args[0], ast.GeneratorExp):
            inner = _text(node.args[0].elt, known)
            return f"[{inner}]" if " " in inner.strip() else "{names}"
        if of.attr == "join":
            return "{" + ast.unparse(node.args[0]) + "}"
    return "{" + ast.unparse(node) + "}"


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for folder, title in FOLDERS.items():
        place = PACKAGE / folder
        paths = [place] if place.is_file() else sorted(place.glob("*.py"))
        for path in paths:
            if rows := sentences(path):
                parts.append(f"## {title}: `{path.relative_to(PACKAGE)}`\n")
                parts.append("\n".join(f"* {kind}: {_shown(text)}" for kind, text in rows) + "\n")
    return "\n".join(parts)


def _shown(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(TARGET)
