"""The page of all sentences is the code's, and holds those that people have met."""

import ast

import messages


def test_the_page_is_what_the_code_says():
    assert messages.TARGET.read_text("utf-8") == messages.page(), "run python tools/messages.py"


def test_every_refusal_of_the_check_is_on_the_page():
    """Counted in another way: by the words `raise` in the source."""
    source = (messages.PACKAGE / "methods/checks.py").read_text("utf-8")
    raised = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise)]
    found = [text for kind, text in messages.sentences(messages.PACKAGE / "methods/checks.py") if kind == "refused"]
    assert len(found) == len(raised) - 1  # one passes on what `pick_logits` says
    page = messages.page()
    for words in ("opening it could run code", "is in use by {who}", "must stay"):
        assert words in page


def test_words_kept_in_a_variable_are_shown(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(
        "TABLE = 'ask the one who made it'\n"
        "def f(x, two):\n"
        "    why = f'it has {x} rows' if two else 'it is quite empty'\n"
        "    if x:\n"
        "        raise ValueError(f'cannot read it, for {why}; {TABLE}' + ' at once' * two)\n"
        "    warn('this may be meant so', NetworkNote)\n"
    )
    assert messages.sentences(path) == [
        ("refused", "cannot read it, for [it has {x} rows | it is quite empty]; ask the one who made it[ at once]"),
        ("note", "this may be meant so"),
    ]
