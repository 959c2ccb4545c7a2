"""A class of thirty made-up hand-ins: mistakes, missing and damaged files, two students of one name."""

import csv
import json
import os
import random

import pytest

from rdskd_lab.cli import main
from rdskd_lab.course import lesson as lessons
from rdskd_lab.course.bands import read_bands, typical
from rdskd_lab.course.class_table import read_class
from rdskd_lab.course.classroom import HandIn, class_figure, read_hand_ins, student_seed, write_hand_in

NOTEBOOK = "04_authenticity"
NAMES = [f"Student {i:02}" for i in range(28)]
ROW = {"number": 1, "title": "", "state": "solved", "tries": 1, "hints": 0, "solution seen": False, "last error": ""}
STUCK = "softmax over the batch axis"


def made_up(name, rng, seed=None, shown=True):
    """A hand-in as a student of that name might write it: solved with skill, now and then stuck on one error."""
    skill, done = rng.random(), []
    for number, exercise in enumerate(lessons.find_exercises(NOTEBOOK), 1):
        state = "solved" if rng.random() < skill else rng.choice(["not solved yet", "not tried yet"])
        error = rng.choice([STUCK, STUCK, ""]) if state == "not solved yet" else ""
        hints = rng.randrange(4)
        row = {"number": number, "title": exercise.title, "state": state, "tries": hints + 1, "hints": hints}
        done.append(row | {"solution seen": hints == 3, "last error": error})
    bands = read_bands(NOTEBOOK)
    found = {key: rng.gauss(sum(values) / 10, 0.3 * (max(values) - min(values))) for key, values in bands.items()}
    found |= {r"$\frac$": 1.0, "yes": True, "huge": 10**80}  # to matplotlib, a broken formula and odd numbers
    guesses = {"1": "90 %", "2": "", "3": '=HYPERLINK("x")'}
    seed = student_seed(name) if seed is None else seed
    return HandIn(NOTEBOOK, seed, name if shown else "", done, guesses, found, token=f"{rng.randrange(16**6):06x}")


@pytest.fixture
def folder(tmp_path):
    """28 names, of which two hand in nothing; two of one name; two with the default seed; and files that are none."""
    rng, where = random.Random(0), tmp_path / "class"
    for i, name in enumerate(NAMES[:-2]):
        write_hand_in(where / f"upload {i}", made_up(name, rng, shown=i % 3 > 0))
    second = write_hand_in(where, made_up(NAMES[1] + "\x1b", rng, seed=0))  # of one name
    second.write_bytes(b"\xef\xbb\xbf" + second.read_bytes())  # saved anew by Notepad
    for _ in range(2):
        write_hand_in(where, made_up("", rng, seed=0))
    whole = write_hand_in(where, made_up("damaged", rng))
    whole.write_bytes(whole.read_bytes()[:200])
    (where / "recipe.json").write_text('{"flour": 1}')
    os.mkfifo(where / "pipe.json")
    return where


def test_thirty_hand_ins_become_a_table_with_what_to_look_at(folder, tmp_path):
    roster = tmp_path / "names.txt"
    roster.write_text("\n".join(NAMES), encoding="utf-8-sig")  # as Notepad saves it
    table = read_class(folder, roster)
    text = table.text()
    assert len(table.hand_ins) == 29 and text.startswith(f"Hand-ins: 29, from {NOTEBOOK}.")
    assert len(table.refused) == 3 and "recipe.json: not a hand-in of this course" in text
    assert "damaged: not valid JSON" in text
    assert f"no hand-in from {NAMES[-2]}, {NAMES[-1]}" in text  # by name or by the seed that the name gives
    assert f"2 files with the name {NAMES[1]}" in text and "2 students have seed 0" in text

    solved = [[row["state"] for row in one.exercises].count("solved") for one in table.hand_ins]
    assert [row["solved"] for row in table.rows()] == solved
    stuck = [one.exercises[0] for one in table.hand_ins if one.exercises[0]["state"] == "not solved yet"]
    by_name = sum(row["last error"] == STUCK for row in stuck)
    line = next(line for line in text.splitlines() if line.strip().startswith("1 the one-hot loss"))
    assert f"{by_name} x {STUCK}" in line and f"  {len(stuck)}  " in line


def test_names_that_were_not_given_are_known_to_the_roster_alone(folder, tmp_path):
    assert NAMES[0] not in read_class(folder).text()  # it handed in without its name
    (tmp_path / "names.txt").write_text(NAMES[0] + "\n\n")
    assert NAMES[0] in read_class(folder, tmp_path / "names.txt").text()
    assert all(NAMES[0] not in path.read_text() for path in folder.rglob("*.json") if path.is_file())


def test_csv_and_figure_are_written_and_no_text_is_a_formula(folder, tmp_path):
    written = read_class(folder).write(tmp_path / "out")
    assert [path.name for path in written] == ["class.csv", "predictions.csv", f"class-{NOTEBOOK}.png"]
    rows = list(csv.DictReader(written[0].read_text("utf-8-sig").splitlines()))
    assert len(rows) == 29 and rows[0]["exercise 3"] in ("solved", "not solved yet", "not tried yet")
    guesses = list(csv.DictReader(written[1].read_text("utf-8-sig").splitlines()))
    assert len(guesses) == 58 and {row["prediction"][0] for row in guesses} == {"9", "'"}
    assert written[2].read_bytes()[:4] == b"\x89PNG"


def test_the_command_prints_the_table_and_says_what_it_wrote(folder, tmp_path, capsys):
    main(["class", str(folder), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "Hand-ins: 29" in said and "where students are stuck" in said and "class.csv" in said
    with pytest.raises(SystemExit):
        main(["class", str(tmp_path / "nowhere")])
    assert "is not a folder" in capsys.readouterr().err


def test_results_outside_the_typical_range_are_counted(tmp_path):
    name, values = next(iter(read_bands(NOTEBOOK).items()))
    low, high = typical(values)
    for token, value in (("a", low - 1e-6), ("b", (low + high) / 2), ("c", high + 1e-6)):
        write_hand_in(tmp_path, HandIn(NOTEBOOK, 5, token, [], {}, {name: value}, token))
    assert [row["results outside"] for row in read_class(tmp_path).rows()] == ["1 of 1", "0 of 1", "1 of 1"]
    figure, mean = class_figure(tmp_path), (low + high) / 2
    assert figure.values[name].tolist() == [low - 1e-6, mean, high + 1e-6]
    words = f"{name}: 3 students, mean {mean:.4g}, from {low:.4g} to {high:.4g}; 1 of them inside the typical range"
    assert words in figure.alt_text()


def test_a_figure_has_a_dozen_rows_however_many_names_the_results_have(tmp_path):
    known = read_bands(NOTEBOOK)
    for k in range(20):  # a name of each student's own, of which one is long, and names that some share
        own = {f"{k:02} {n} {'x' * 100_000 * (n == k == 0)}": 1.0 for n in range(40)}
        shared = dict.fromkeys([*known] * (k < 1) + [f"shared {n}" for n in range(k // 4)], 2.0)
        write_hand_in(tmp_path, HandIn(NOTEBOOK, k, "", [], {}, own | shared))
    figure = class_figure(tmp_path)
    assert len(figure.values) == 12 and {*known, "shared 0", "shared 3"} <= set(figure.values)
    assert figure.alt_text().endswith("; not drawn: 795 more results, which fewer students have.")
    drawn = figure.matplotlib()
    assert len(drawn.axes) == 12 and "795 more" in drawn.axes[-1].get_xlabel()
    assert all(len(axis.get_title("left")) <= 60 for axis in drawn.axes)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "5"},
        {"seed": True},
        {"notebook": "../../etc"},
        {"found": {"a": float("nan")}},
        {"found": [1]},
        {"predictions": {"1": 2}},
        {"exercises": [{"number": 1}]},
        {"more": 1},
        {"name": None},
        {"name": "\ud800"},
        {"found": {"a": [1.0]}},
        {"found": {"a": 1.7e308}},
        {"found": dict.fromkeys(map(str, range(999)), 1.0)},
        {"exercises": [ROW | {"hints": 10**400}]},
        {"exercises": [ROW | {"title": "t\n    Ada  +"}]},
        {"exercises": [ROW | {"last error": "\x1b[2J"}]},
        b"[" * 200_000,
    ],
)
def test_a_file_with_a_wrong_entry_is_refused_and_the_others_are_read(change, tmp_path):
    write_hand_in(tmp_path, HandIn(NOTEBOOK, 5, "", [], {}, {}, "good"))
    path = write_hand_in(tmp_path, HandIn(NOTEBOOK, 5, "", [], {}, {}, "bad"))
    entry = path.read_bytes()
    path.write_bytes(change if isinstance(change, bytes) else json.dumps(json.loads(entry) | change).encode())
    good, refused = read_hand_ins(tmp_path)
    assert len(good) == 1 and list(refused) == [path.name]


def test_an_empty_folder_and_one_that_is_not_there_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="no hand-in"):
        read_class(tmp_path)
    with pytest.raises(ValueError, match="not a folder"):
        read_class(tmp_path / "nowhere")


@pytest.fixture
def begun(monkeypatch):
    monkeypatch.setattr(lessons, "look", lambda: None)
    monkeypatch.setattr(lessons, "diagnose", lambda facts: [])
    monkeypatch.setattr(lessons, "estimate", lambda facts: {})
    return lessons.begin(NOTEBOOK, student="Ada Lovelace")


def test_a_lesson_hands_in_what_was_done_and_no_name_unless_given(begun, tmp_path, capsys, monkeypatch):
    exercise = begun[1]
    exercise.check(exercise.misconceptions[0].answer)
    exercise.hint()
    exercise.check(exercise.answer)
    exercise.check(exercise.misconceptions[1].answer)  # once solved, it stays solved
    begun[2].check(begun[2].misconceptions[0].answer)
    begun[3].check(lambda: ...)
    begun[3].solution()
    begun.predict(1, "90 %")
    begun.predict(2, ...)
    begun.band("certainty at the end", 0.93, "%")
    capsys.readouterr()
    begun.hand_in()
    said = capsys.readouterr().out
    assert "exercises solved 1 of 3, hints used 1, predictions typed 1 of 2, results 1" in " ".join(said.split())
    assert "Nothing was written" in said and not list(tmp_path.iterdir())

    begun.hand_in(tmp_path)
    begun.hand_in(tmp_path)  # again: the same file
    (one,), refused = read_hand_ins(tmp_path)
    assert not refused and "Ada" not in (tmp_path / one.file).read_text()
    assert [row["state"] for row in one.exercises] == ["solved", "not solved yet", "not tried yet"]
    counted = [(row["tries"], row["hints"], row["solution seen"]) for row in one.exercises]
    assert counted == [(3, 1, False), (1, 0, False), (0, 0, True)]
    assert one.exercises[1]["last error"] == begun[2].misconceptions[0].name
    assert one.predictions == {"1": "90 %", "2": ""} and one.found == {"certainty at the end": 0.93}
    monkeypatch.setenv("HOME", str(tmp_path))
    begun.hand_in("~", name="Ada Lovelace")
    assert read_hand_ins(tmp_path)[0][0].who == "Ada Lovelace"


def test_a_lesson_shows_its_progress_and_never_a_solution(begun):
    begun[1].check(begun[1].answer)
    for shown in (repr(begun), repr(begun[1]), str(list(begun.values()))):
        assert "def " not in shown and "Misconception" not in shown
    assert "exercises solved 1 of 3" in repr(begun) and "lesson[2]" in repr(begun)


def test_begin_refuses_what_it_cannot_begin_before_it_prints(capsys):
    for wrong, said in (("4", "'04_authenticity'"), ("03_authentic", "'04_authenticity'"), ("zzz", "00_start_here")):
        with pytest.raises(ValueError, match=said):
            lessons.begin(wrong)
    for empty in "  ", "":
        with pytest.raises(ValueError, match="name is empty"):
            lessons.begin(NOTEBOOK, student=empty)
    assert capsys.readouterr().out == ""
