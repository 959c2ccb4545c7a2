"""The scoreboard: every word follows from the interval beside it, and all of it from the tables."""

import math
import re
from pathlib import Path

import pytest
from toys import records

from rdskd_lab.runs.compare import read_table
from rdskd_lab.studies import engine as S
from rdskd_lab.studies import scoreboard as B
from rdskd_lab.studies.fluctuation import noise
from rdskd_lab.studies.registry import STUDIES
from rdskd_lab.studies.students import RIVALS
from rdskd_lab.studies.verdict import Verdict

RESULTS = Path(__file__).resolve().parents[2] / "results"


def board(tables: dict[str, list[dict]]) -> str:
    return B.scoreboard([(STUDIES[name], rows) for name, rows in tables.items()])


def judged(text: str) -> list[tuple[str, str, str]]:
    """(low, high, the word) of every verdict that a scoreboard tells, read from its text alone."""
    numbers = r"[-+][\d.,e+-]+"
    lines = re.findall(rf"^\| .*\(({numbers}) to ({numbers}), n = \d+\) \| \*\*(.+)\*\* \|$", text, re.MULTILINE)
    assert len(lines) == len(re.findall(r"\*\* \|$", text, re.MULTILINE)) - text.count("| no interval")
    return lines


def follows(low: str, high: str, verdict: Verdict) -> str:
    """The word that an interval allows, by the signs of its ends as they are printed, and its p value if corrected."""
    sure = {("+", "+"): "holds", ("-", "-"): "does not hold"}.get((low[0], high[0]), "")
    if sure and not verdict.p > 0.05:
        return sure
    small = max(abs(float(end.replace(",", ""))) for end in (low, high)) < verdict.small
    return f"smaller than {verdict.small:.2g}{verdict.unit}" if small else "undecided"


def verdicts(tables: dict[str, list[dict]]) -> list[Verdict]:
    """Those that have an interval, in the order in which a scoreboard shows them."""
    found = [STUDIES[name].verdicts(rows) for name, rows in tables.items()]
    return [v for study in found for main in (True, False) for v in study if v.main == main and v.n > 1]


FINAL = "distance teacher_fid feature_distance".split()
FIXED = {"final_classes": 10.0, "oh_batches": 0.2, "oh_batch_floor": 0.15, "ie_batches": 0.1, "ie_batch_floor": 0.02}


def toy_table(name: str, trials: list[S.Trial], wrong: float = 0.0) -> list[dict]:
    """A study's table with figures of which any but `wrong` of 0 takes the accuracy of rdskd down with the seed."""
    found = []
    for n, t in enumerate(trials):
        measured = {
            "outcome": "finished",
            "student_accuracy": 0.9 + math.sin(7 * n) / 50 - wrong * (t.config.method == "rdskd") * (1 + t.config.seed),
            "final_entropy": 2.0 + math.sin(n) / 9,
            "oh_probe": 1.1 + math.sin(5 * n),
            "oh_equal": 1.1 + math.cos(3 * n),
            "ie_probe": 1.1 + math.cos(n),
        }
        measured |= {f"final_{name}": 20 + math.sin(k * n) for k, name in enumerate(FINAL, 2)}
        numbers = {name: float(value) for name, value in S.planned(t).items() if isinstance(value, int)}
        found.append(S.planned(t) | numbers | measured | FIXED)
    return found


@pytest.fixture(scope="module")
def toy_tables():
    return {name: toy_table(name, study.trials()) for name, study in STUDIES.items()}


def test_every_word_on_the_scoreboard_follows_from_the_interval_beside_it(toy_tables):
    tables = toy_tables | {"accuracy": toy_table("accuracy", STUDIES["accuracy"].trials(), wrong=0.1)}
    text = board(tables)
    lines = judged(text)
    assert len(lines) == sum(len(STUDIES[name].verdicts(rows)) for name, rows in tables.items())
    for (low, high, word), verdict in zip(lines, verdicts(tables), strict=True):
        assert word == follows(low, high, verdict)
    assert len({word for *_, word in lines}) > 1


def test_how_much_of_a_training_curve_is_noise_is_read_from_the_table():
    names = "arm point oh_batches oh_batch_floor ie_batches ie_batch_floor"
    rows = records(names, *(("none", "default", b, 0.1, 0.4, 0.1) for b in (0.2, 0.4)))
    assert "38 % of the fluctuation of oh and 25 % of the fluctuation of ie" in noise(rows) and noise([]) == ""


def test_what_was_named_before_comes_first_and_is_all_that_a_claim_rests_on(toy_tables):
    for name, rows in toy_tables.items():
        judged = STUDIES[name].verdicts(rows)
        assert 0 < sum(v.main for v in judged) <= 6 and len({(v.claim, v.value) for v in judged}) == len(judged)
        first, _, second = board({name: rows}).partition("Also tested:")
        for v in judged:
            line = f"| {v.claim} | {v.value} | {v.interval} | **{v.verdict}** |"
            assert line in (first if v.main else second) and line not in (second if v.main else first)


def test_another_table_makes_another_scoreboard(toy_tables):
    trials = STUDIES["accuracy"].trials()
    bad = board({"accuracy": toy_table("accuracy", trials, wrong=0.1)})
    assert board({"accuracy": toy_tables["accuracy"]}) != bad
    assert {word for *_, word in judged(bad)} == {"does not hold"}


def test_each_study_says_why_it_may_differ_from_the_paper_by_what_its_table_holds(toy_tables):
    assert board(toy_tables).count("Why it may differ from the paper") == len(STUDIES)
    apart = B.apart(STUDIES["fluctuation"], toy_tables["fluctuation"])
    assert "360 generator steps" in apart and "2,400." in apart and "10 seeds" in apart
    robustness = STUDIES["robustness"]
    apart = B.apart(robustness, toy_tables["robustness"])
    assert "200 generator and 1,000 student steps" in apart and "3 seeds, digits only" in apart
    assert "lenet5, lenet5-bn, lenet5-half," in apart
    fewer = [r | {"generator_steps": 7.0} for r in toy_tables["robustness"] if r["seed"]]
    assert "7 generator" in B.apart(robustness, fewer) and "2 seeds" in B.apart(robustness, fewer)


def test_a_table_with_too_few_pairs_makes_a_scoreboard_that_says_so():
    rows = toy_table("accuracy", [t for t in STUDIES["accuracy"].trials() if t.config.seed == 0])
    text = board({"accuracy": rows})
    assert text.count("no interval (n = 1) | **too few pairs**") == len(RIVALS) and not judged(text)


def test_the_scoreboard_says_what_the_stored_tables_say():
    tables = {name: read_table(RESULTS / f"{name}.csv") for name in STUDIES}
    text = (RESULTS / "SCOREBOARD.md").read_text()
    assert text == board(tables)
    for (low, high, word), verdict in zip(judged(text), verdicts(tables), strict=True):
        assert word == follows(low, high, verdict)
