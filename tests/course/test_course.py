"""The course's frame: every exercise meets an empty, each wrong and a right answer; bands, seeds, result files."""

import ast
import configparser
import inspect
import json
import math
import re
import sys
import tomllib
import types
from dataclasses import replace
from pathlib import Path

import build_notebooks as build
import numpy as np
import pytest
import torch
import wrong_ideas
from torch import nn
from torch.utils._pytree import tree_leaves

import rdskd_lab as lab
from rdskd_lab import course
from rdskd_lab.course import bands, class_figure, classroom, lesson, stored, student_seed, tables
from rdskd_lab.course.exercise import Exercise, Misconception, Wrong, value_and_gradient
from rdskd_lab.course.relations import differing, relation, tell_difference, write_value
from rdskd_lab.course.verdict import Verdict
from rdskd_lab.objective import previous

TOP = Path(__file__).resolve().parents[2]
NOTEBOOKS = TOP / "notebooks"
NAMES = sorted(path.stem[2:] for path in (Path(course.__file__).parent / "exercises").glob("ex*.py"))
ALL = [(name, number, item) for name in NAMES for number, item in enumerate(lesson.find_exercises(name), 1)]
EACH = pytest.mark.parametrize("item", [row[2] for row in ALL], ids=[f"{name[:2]}.{number}" for name, number, _ in ALL])


# ---- every exercise ----------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("empty", [lambda *args: None, lambda *args: ..., None, ..., lambda x=0, *args: -(...).mean()])
def test_an_empty_answer_is_met_with_a_friendly_sentence(item, empty):
    verdict = item.examine(empty)
    assert verdict.kind == "empty" and "yet" in verdict.says


@EACH
def test_the_solution_is_right(item):
    verdict = item.examine(item.answer)
    assert verdict.kind == "right" and item.right in verdict.says


@EACH
def test_each_misconception_is_recognised_by_its_own_name(item):
    assert item.misconceptions
    for wrong in item.misconceptions:
        verdict = item.examine(wrong.answer)
        assert (verdict.kind, verdict.name) == ("misconception", wrong.name), verdict.says
        assert wrong.says in verdict.says


@EACH
def test_it_speaks_as_a_teacher_would(item):
    assert len(item.hints) == 3
    sentences = [item.right, *item.hints, *(wrong.says for wrong in item.misconceptions)]
    for text in sentences:
        assert text.rstrip(")`").endswith((".", "?")), text
        assert 20 < len(text) < 420 and "!" not in text, text
    assert item.source().startswith(f"def {item.answer.__name__}(")


@EACH
def test_a_check_leaves_the_learners_random_numbers_alone(item):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    item.examine(item.answer)
    assert torch.equal(torch.rand(3), expected)


@EACH
@pytest.mark.parametrize("odd", ["0.5", {"a": 1}, torch.ones(2, 2).max(1)])
def test_what_is_no_number_is_met_with_a_sentence(item, odd):
    assert item.examine(lambda *given: odd).kind in ("wrong", "misconception")


@EACH
def test_an_answer_that_changes_what_it_was_given_changes_nothing_for_the_next(item):
    def spoils(*given):
        result = item.answer(*given)
        for x in tree_leaves(given):
            x.zero_() if isinstance(x, torch.Tensor) and not x.requires_grad else None
        return result

    before, verdict = item._see(item.answer), item.examine(spoils)
    assert verdict.kind == "right" or "Work on a copy" in verdict.says
    assert not differing(item._see(item.answer), before)


# ---- one exercise, made for the tests ----------------------------------------------------------------------------------


def square(x):
    return (x**2).sum()


def cube(x):
    return (x**3).sum()


def _watch(answer):
    value, gradient = value_and_gradient(answer, torch.tensor([1.0, 2.0]))
    return {"the value": value, "the gradient": gradient}


@pytest.fixture
def squares():
    return Exercise(
        "squares", ("One.", "Two.", "Three."), square, _watch, "It is.", (Misconception(cube, "cube", "No."),)
    )


@pytest.mark.parametrize(
    "answer, says",
    [
        (lambda x: x, r"shape \(2,\)"),
        (lambda x: 5.0, "float"),
        (lambda x: square(x.detach()) + 0 * 1, "changes with the input, but no gradient"),
        (lambda x: torch.tensor(3.0), "does not depend on the input"),
        (lambda x: torch.ones(2, requires_grad=True).sum(), "does not depend on the input"),
        (lambda x: 2 * square(x), "2 times the right answer"),
        (lambda x: -square(x), "wrong sign"),
        (lambda x: square(x) * torch.nan, "nan"),
        (lambda x: square(x) / math.log(2), "log2"),
        (lambda x: square(x) + 1e-3, "0.001 too large, and the gradient is right"),
        (lambda x: square(x) + x[0] ** 2 * 1e-4, "value .* 5.0000.* 5.0001"),
        (lambda x: square(x) + x[0] ** 2 * 2e-5, "value .* 5.00000; .* 5.00002"),
        (lambda x: square(x) + x[0] - x[0].item(), r"gradient .* 2.0000 at \[0\].* 3.0000.* Already right: the value"),
        (lambda x: x @ torch.zeros(3).double(), "Line 1 of your function raised RuntimeError"),
        (lambda: 1, "TypeError"),
        (lambda x: {"a": 1}, "dict"),
        (torch.tensor(5.0), r"lesson\[1\].check\(square\)"),
    ],
)
def test_what_a_wrong_answer_is_told(squares, answer, says):
    verdict = squares.examine(answer)
    assert verdict.kind == "wrong" and re.search(says, verdict.says)


def test_two_faults_of_which_one_is_a_nan_are_told_one_after_the_other(squares):
    def watch(answer):
        return _watch(answer) | {"far out": answer(torch.tensor([1e200]).double())}

    def tamed(x):  # wrong far out only: nothing that is finite of the answers below tells it from the right one
        return square(x) if x[0] < 10 else x.sum()

    squares.watch, squares.misconceptions = watch, (Misconception(tamed, "tamed", "No."), *squares.misconceptions)
    assert squares.examine(lambda x: cube(x) + 0 * (x**4).sum()).name == "cube"  # the wrong power, and NaN far out
    alone = squares.examine(lambda x: square(x) + 0 * (x**4).sum())  # right but for the NaN: no misconception
    assert alone.kind == "wrong" and "far out" in alone.says.lower()


def test_what_a_learner_really_wrote_is_met_as_it_should_be():
    def each_image_with_torchs_own_std(images):
        return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)

    def asks_first(a, b):
        return a.norm() / b.norm() if b.norm() > 0 else 0 * a.sum()

    def sum_without_anchors(t, x, anchor_oh, anchor_ie):
        return lab.one_hot(t) + lab.information_entropy(t) + lab.diversity_seeking(x, t.softmax(1))

    def infinitely_sure():
        return [logits.where(logits == 0, torch.inf) for logits in batches.answer()]

    def another_rule():
        return lab.Objective({name: replace(term, rule=previous) for name, term in table.answer().items()})

    def normalised():
        return nn.Sequential(nn.Conv2d(1, 4, 5), nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(4 * 576, 10))

    asked = ("03_generator", 2), ("06_inter_sample_diversity", 2), ("08_rdskd", 1), ("08_rdskd", 3)
    scale, quotient, loss, table = (lesson.find_exercises(name)[number - 1] for name, number in asked)
    (*_, batches), (net,) = map(lesson.find_exercises, ("04_authenticity", "11_your_own_teacher"))
    assert table.examine(another_rule).kind == "wrong" and net.examine(normalised).kind == "right"
    assert "NaN or infinite" in batches.examine(infinitely_sure).says
    assert scale.examine(each_image_with_torchs_own_std).name == "each image, all channels together"
    assert quotient.examine(asks_first).kind == "right"
    assert loss.examine(sum_without_anchors).name == "no exponential"


def test_an_answer_that_forgets_to_return_is_not_called_empty(squares):
    def forgets(x):
        if x.sum() < 0:
            return square(x)

    verdict = squares.examine(forgets)
    assert verdict.kind == "wrong" and "returned nothing" in verdict.says


def test_a_gradient_that_torch_did_not_keep_is_explained(squares):
    def steps(x):
        x = 2 * x
        square(x).backward()
        return x.grad.sum()

    with pytest.warns(UserWarning, match="leaf"):
        assert "x.detach().requires_grad_()" in squares.examine(steps).says
    assert "detach" not in squares.examine(lambda x: None * x).says


def test_hints_come_one_after_the_other_and_the_solution_is_the_code_that_runs(squares, capsys):
    for _ in range(4):
        squares.hint()
    squares.solution()
    one, two, three, four, *code = capsys.readouterr().out.splitlines()
    assert "One." in one and "Two." in two and "Three." in three and "lesson[1].solution()" in four
    assert code == ["def square(x):", "    return (x**2).sum()"]


def test_typical_errors_show_the_code_and_what_is_said(squares, capsys):
    squares.typical_errors()
    said = capsys.readouterr().out
    assert "def cube(x):" in said and "Not yet: cube. No." in said


def test_a_judge_decides_where_many_answers_are_right(squares):
    squares.judge = lambda seen: "" if seen["the value"] > 0 else "It should be above 0."
    assert squares.examine(lambda x: x.sum()).kind == "right"
    assert "above 0" in squares.examine(lambda x: -x.sum()).says


def test_differing_names_the_first_thing_that_does():
    assert differing({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0 + 1e-9}) == ""
    assert differing({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.1}) == "b"
    assert differing({"a": torch.zeros(2)}, {"a": torch.zeros(3)}) == "a"
    assert differing({"told": "x"}, {"a": 1.0}) == "a"


def test_value_and_gradient_computes_in_double_precision():
    value, gradient = value_and_gradient(square, torch.tensor([0.1, 0.2], dtype=torch.float32))
    assert value.dtype == gradient.dtype == torch.float64
    with pytest.raises(Wrong):
        value_and_gradient(lambda x: x, torch.ones(2))


# ---- what a check says to ideas that are no misconception of the list --------------------------------------------------


def test_of_forty_wrong_ideas_at_least_34_are_told_by_their_name():
    verdicts = list(wrong_ideas.tell())[: wrong_ideas.FORTY]
    assert all(verdict.kind in ("wrong", "misconception") for *_, verdict in verdicts)
    assert sum(verdict.kind == "misconception" for *_, verdict in verdicts) >= 34


def test_an_epsilon_of_any_size_that_changes_the_value_is_recognised_and_a_small_one_is_right():
    quotient = lesson.find_exercises("06_inter_sample_diversity")[1]
    for epsilon, kind in [(1e-8, "right"), (1e-12, "right"), *((e, "misconception") for e in (3e-4, 0.7, 40.0))]:
        verdict = quotient.examine(lambda a, b, epsilon=epsilon: a.norm() / (b.norm() + epsilon))
        assert verdict.kind == kind, (epsilon, verdict.says)
        if kind == "misconception":
            assert f"about {epsilon:.1g} " in verdict.says if epsilon < 0.1 else f"about {epsilon:.3g} " in verdict.says


@pytest.mark.parametrize(
    "seen, says",
    [
        ({"a": 8.0, "b": 12.0}, "too large: divide it by the number of images"),
        ({"a": 0.5, "b": 0.75}, "too small: you divide by the number of images"),
        ({"a": -8.0, "b": -12.0}, "the number of images.* sign is reversed"),
        ({"a": 2.5, "b": 3.5}, "0.5 too large"),
        ({"a": 4.0, "b": 9.0}, "squares of the right ones"),
        ({"a": 2.0**0.5, "b": 3.0**0.5}, "roots of the right ones"),
        ({"a": 1 / 2, "b": 1 / 3}, "reciprocals"),
        ({"a": 2.0, "b": 3.1}, "^$"),
        ({"a": 2.0, "b": math.nan}, "^$"),
    ],
)
def test_a_simple_relation_to_the_right_answer_is_named(seen, says):
    assert re.search(says, relation(seen, {"a": 2.0, "b": 3.0}, (("the number of images", 4),)))


def test_a_wrong_shape_says_which_axis_is_gone():
    want = torch.arange(12.0).view(3, 4)
    for got, says in ((want.sum(0), "Axis 0 is missing"), (want.mean(1), "Axis 1 is missing"), (want.T, "swapped")):
        assert says in tell_difference({"a": got}, {"a": want})


@EACH
def test_an_example_shows_the_checks_inputs_and_never_the_solution(item, capsys):
    item.example()
    said = capsys.readouterr().out
    assert "def " not in said and 30 < len(said) < 4000
    if inspect.signature(item.answer).parameters:
        given = item.inputs()
        assert len(given) == len(item._calls()[0][0]) and "Call 1" in said


def test_inputs_are_copies_that_give_what_the_example_says():
    item = lesson.find_exercises("04_authenticity")[0]
    (logits,) = item.inputs()
    assert item.answer(logits).item() == pytest.approx(0.4631, abs=1e-4)
    logits.zero_()
    assert item.inputs()[0].any() and item.examine(item.answer).kind == "right"
    assert write_value(torch.tensor([1.5, 2.0])) == "tensor([1.5, 2.0])"


def test_a_verdict_has_a_coloured_edge_and_its_word_and_no_markup_of_a_learner():
    for kind, word, colour in (
        ("right", "Right.", "#1a7f37"),
        ("wrong", "Not yet.", "#c62828"),
        ("empty", "Nothing here yet.", "#8a8a8a"),
    ):
        page = Verdict(kind, f"{word} x < y <script>")._repr_html_()
        assert f"<b>{word}</b>" in page and colour in page and "<script>" not in page
    assert repr(Verdict("right", "Right. " + "long " * 40)).count("\n") == 2


# ---- the first cell ----------------------------------------------------------------------------------------------------


def test_begin_tells_the_time_gives_the_exercises_and_a_seed(capsys, monkeypatch):
    monkeypatch.setattr(lesson, "look", lambda: None)
    monkeypatch.setattr(lesson, "diagnose", lambda facts: [])
    monkeypatch.setattr(lesson, "estimate", lambda facts: {"notebook 04": 12.3})
    begun = course.begin("04_authenticity", student="Ada")
    time, seed = capsys.readouterr().out.splitlines()
    assert "04_authenticity" in time and "12 s" in time and str(student_seed("Ada")) in seed
    assert list(begun) == [1, 2, 3] and begun[2].call == "lesson[2]"
    with pytest.raises(KeyError, match="1, 2, 3"):
        begun[4]
    with pytest.raises(ValueError, match="99_nothing"):
        course.begin("99_nothing")
    monkeypatch.setenv("RDSKD_LAB_SEED", "7")
    assert course.begin("04_authenticity").seed == 7


def test_begin_finds_a_device_says_it_in_a_word_and_takes_another(capsys, monkeypatch):
    for name, stand_in in (("look", None), ("diagnose", []), ("estimate", {})):
        monkeypatch.setattr(lesson, name, lambda *facts, stand_in=stand_in: stand_in)
    assert course.begin("04_authenticity").device == lab.find_device()
    with pytest.raises(ValueError, match="cannot be used here"):
        course.begin("04_authenticity", device="abacus")
    monkeypatch.setattr(lesson, "find_device", lambda name: torch.device("cuda" if name == "auto" else name))
    for where, found in (({}, "cuda"), ({"device": "cpu"}, "cpu")):
        assert course.begin("04_authenticity", **where).device.type == found
        assert f" {found}." in capsys.readouterr().out.splitlines()[-1]


def test_begin_says_what_is_to_be_mended_and_nothing_else(capsys, monkeypatch):
    from machines import WELL

    for facts, said in (
        (WELL, []),
        (replace(WELL, memory=10**9), ["memory"]),
        (replace(WELL, generator_step=1.6, student_step=0.4), ["training"]),
        (replace(WELL, gpu="", gpu_memory=None), []),
        (replace(WELL, gpu="", front_end="Colab", versions=WELL.versions | {"ipywidgets": "7.7.1"}), ["GPU"]),
    ):
        monkeypatch.setattr(lesson, "look", lambda facts=facts: facts)
        course.begin("04_authenticity")
        *findings, last = capsys.readouterr().out.splitlines()
        assert last.startswith("04_authenticity") and re.findall(r"^(\w+): ", "\n".join(findings), re.M) == said


# ---- bands -------------------------------------------------------------------------------------------------------------

TEN = [0.964, 0.97, 0.974, 0.966, 0.969, 0.971, 0.972, 0.968, 0.967, 0.969]  # mean 0.969, sd 0.0029
LUCK = f"outside the typical range; {bands.LUCK}; if you changed something: see a; b"


@pytest.mark.parametrize(
    "value, unit, digits, said",
    [
        (0.969, "%", 3, "acc: yours 96.9 %, typical 96.2 to 97.6 % (10 seeds)"),
        (0.95, "%", 3, f"acc: yours 95.0 % ({LUCK}), typical 96.2 to 97.6 % (10 seeds)"),
        (0.97, "", 2, "acc: yours 0.97, typical 0.96 to 0.98 (10 seeds)"),
    ],
)
def test_a_band_is_told_beside_the_number(value, unit, digits, said):
    assert bands.tell("acc", value, TEN, unit, digits, "see a, b.") == said
    plain = said.replace("; if you changed something: see a; b", "")
    assert bands.tell("acc", value, TEN, unit, digits) == plain


def test_the_typical_range_is_the_95_percent_prediction_interval_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    low, high = stats.t.interval(0.95, 9, np.mean(TEN), np.std(TEN, ddof=1) * 1.1**0.5)
    np.testing.assert_allclose(bands.typical(TEN), (low, high), rtol=1e-5)
    ratios = [0.4, 1.2, 4.4, 0.9, 1.5, 0.6, 2.2, 1.0, 0.7, 1.3]  # positive and wide: in logarithms
    low, high = stats.t.interval(0.95, 9, np.mean(np.log(ratios)), np.std(np.log(ratios), ddof=1) * 1.1**0.5)
    np.testing.assert_allclose(bands.typical(ratios), np.exp((low, high)), rtol=5e-3)
    assert "to 100.0 %" in bands.tell("acc", 0.99, [0.95 + x / 200 for x in range(10)], "%")  # no share is above 1


def test_an_eleventh_run_lies_outside_about_once_in_twenty():
    rng = np.random.default_rng(0)
    outside = []
    for _ in range(4000):
        low, high = bands.typical(list(10 + rng.standard_normal(10)))
        outside.append(not low <= 10 + rng.standard_normal() <= high)
    assert 0.04 < np.mean(outside) < 0.06


def test_each_stored_run_left_out_lies_outside_the_other_nine_in_at_most_one_of_ten():
    rows = [values for rows in json.loads(bands.FILE.read_text()).values() for values in rows.values()]
    outside = [[not _inside(values[i], values[:i] + values[i + 1 :]) for i in range(10)] for values in rows]
    assert np.mean(outside) <= 0.1 and np.mean([row[0] for row in outside]) <= 0.1  # the default seed too


def _inside(value, nine):
    mean, half = np.mean(nine), 2.306 * (1 + 1 / 9) ** 0.5 * np.std(nine, ddof=1)  # Student's t, 8 degrees of freedom
    if mean < half and min(nine) > 0:
        return _inside(np.log(value), list(np.log(nine)))
    return mean - half <= value <= mean + half


def test_what_differs_between_machines_is_what_nbval_does_not_compare():
    rules = configparser.ConfigParser()
    rules.read(TOP / "tests" / "nbval_sanitize.cfg")
    a, b = (bands.tell("acc", value, TEN, "%", 3, "look, there.") for value in (0.97, 0.91))
    for section in rules.sections():
        a, b = (re.sub(rules[section]["regex"], rules[section]["replace"], text) for text in (a, b))
    assert a == b and "96.2 to 97.6" in a


def test_stored_bands_have_ten_seeds_of_notebooks_that_exist():
    stored = json.loads(bands.FILE.read_text()) if bands.FILE.is_file() else {}
    assert set(stored) <= {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    for notebook, rows in stored.items():
        source = (NOTEBOOKS / "src" / f"{notebook}.py").read_text()
        for name, values in rows.items():
            assert len(values) == 10 and np.isfinite(values).all(), (notebook, name)
            assert f'"{name}"' in source, f"{notebook} has no band {name!r} any more"


# ---- a class -----------------------------------------------------------------------------------------------------------


def test_stored_results_are_read_from_a_clone_or_from_the_installed_package(tmp_path, monkeypatch):
    clone, installed = tmp_path / "results", tmp_path / "tables"
    monkeypatch.setattr(tables, "PLACES", (clone, installed))
    installed.mkdir()
    (installed / "toy.csv").write_text("method,accuracy,budget\nrdskd,0.975,90s\nnoise,,\n")
    noise = dict(method="noise", accuracy=None, budget=None)
    assert stored("toy") == [dict(method="rdskd", accuracy=0.975, budget="90s"), noise]
    clone.mkdir()
    (clone / "toy.csv").write_text("method,accuracy\nrdskd,0.5\n")
    assert stored("toy") == [dict(method="rdskd", accuracy=0.5)]
    with pytest.raises(FileNotFoundError, match="other.csv"):
        stored("other")


def test_what_notebooks_read_travels_with_the_installed_package():
    wheel = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    hook = (TOP / wheel["hooks"]["custom"]["path"]).read_text()
    sources = "".join(path.read_text() for path in build.sources())
    read = set(re.findall(r'stored\("(\w+)"\)', sources))
    assert set(ast.literal_eval(re.search(r"TABLES = (.*)", hook)[1])) == read
    assert read and all((TOP / "results" / f"{name}.csv").is_file() for name in read)


def test_a_students_seed_is_the_names_alone():
    assert student_seed("Ada Lovelace") == student_seed("  ada   lovelace ") != student_seed("Ada")
    seeds = {student_seed(f"student {i}") for i in range(300)}
    assert len(seeds) == 300 and min(seeds) >= 10 and max(seeds) < 1_000_000
    with pytest.raises(ValueError, match="name is empty"):
        student_seed("  ")


def test_a_figure_of_nothing_or_of_several_notebooks_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="no results"):
        class_figure(tmp_path)
    for notebook in ("04_authenticity", "08_rdskd"):
        classroom.write_hand_in(tmp_path, classroom.HandIn(notebook, 1, "", [], {}, {"a": 1.0}))
    with pytest.raises(ValueError, match="04_authenticity and 08_rdskd"):
        class_figure(tmp_path)
    assert class_figure(tmp_path, "08_rdskd").title == "08_rdskd"


# ---- notebooks and exercises -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_notebooks_blanks_are_its_modules_exercises(name):
    notebook = build.read(NOTEBOOKS / "src" / f"{name}.py")
    blanks = {build.exercise(cell): cell.source for cell in notebook.cells if build.exercise(cell)}
    exercises = lesson.find_exercises(name)
    assert sorted(blanks) == list(range(1, len(exercises) + 1))
    for number, item in enumerate(exercises, 1):
        head = f"def {item.answer.__name__}("
        assert blanks[number].startswith(head) or f"\n{head}" in blanks[number], f"the blank is not called {head}"
        assert "..." in blanks[number] and f"lesson[{number}].check({item.answer.__name__})" in blanks[number]
        for asked in ("hint", "solution"):
            assert f"# lesson[{number}].{asked}()" in blanks[number]


@pytest.mark.parametrize("name", NAMES)
def test_the_instructors_version_is_solved_and_tells_typical_errors(name):
    notebook = build.teach(NOTEBOOKS / "src" / f"{name}.py")
    sources = [cell.source for cell in notebook.cells]
    for number, item in enumerate(lesson.find_exercises(name), 1):
        solved = next(i for i, text in enumerate(sources) if text.startswith(item.source()))
        assert sources[solved].endswith(f"lesson[{number}].check({item.answer.__name__})")
        assert sources[solved + 1] == f"lesson[{number}].typical_errors()"
    assert "Instructor" in sources[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_the_instructors_version_runs_and_every_answer_is_right(name, tmp_path):
    notebook = build.execute(build.teach(NOTEBOOKS / "src" / f"{name}.py"))
    build.write(notebook, tmp_path / f"{name}.ipynb")
    for cell in notebook.cells:
        if build.exercise(cell):
            answer = lesson.find_exercises(name)[build.exercise(cell) - 1]
            text = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
            assert " ".join(answer.right.split()) in " ".join(text.split()), cell.source


def test_colabs_cell_does_nothing_elsewhere_and_installs_without_dependencies_there(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    exec(build.COLAB.format(address="https://example.org/x"), {})  # and nothing happened
    enabled, ran = [], []
    output = types.SimpleNamespace(enable_custom_widget_manager=lambda: enabled.append(1))
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(output=output))
    monkeypatch.setattr("subprocess.run", lambda command, check: ran.append(command))
    exec(build.COLAB.format(address="https://example.org/x"), {})
    assert enabled == [1] and ran[0][1:4] == ["-m", "pip", "install"]
    assert "--no-deps" in ran[0] and ran[0][-1] == "git+https://example.org/x"
    del output.enable_custom_widget_manager  # another host's google.colab has none
    exec(build.COLAB.format(address=""), {})
    assert len(ran) == 1 and "pip install" in capsys.readouterr().out
