"""The study of damping: its page says what its table holds, and its arms differ in nothing but their anchors."""

import csv

import damping
import numpy as np
import pytest


def test_the_page_is_made_from_the_table():
    assert damping.TABLE.with_suffix(".md").read_text() == damping.table()


def test_every_arm_of_every_setting_has_ten_seeds_and_a_cell_is_their_mean_and_spread():
    rows = list(csv.DictReader(damping.TABLE.open(newline="")))
    assert len(rows) == len(damping.SETTINGS) * len(damping.RULES) * 10
    found = np.array([float(r["ie"]) for r in rows if r["setting"] == "lr 0.016, batch 8" and r["rule"] == "epoch"])
    page = damping.table().split("## lr 0.016, batch 8")[1]
    line = next(line for line in page.splitlines() if line.startswith("| epoch"))
    assert line.split("|")[4].strip() == f"{1000 * found.mean():.1f} ± {1000 * found.std(ddof=1):.1f}"


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(damping, "STEPS", 5)
    monkeypatch.setattr(damping, "EARLY", 3)


def test_at_0_never_moves_its_anchor_and_the_published_rule_leaves_it(short):
    at_0 = damping.measure({"batch_size": 8}, "at 0", 0, {})
    published = damping.measure({"batch_size": 8}, "epoch", 0, {})
    assert at_0["ie_gain"] < 0.4  # exp of a mean loss below -1
    assert published["ie_gain"] > at_0["ie_gain"] + 0.1


def test_constant_weights_of_1_are_the_plain_sum(short):
    plain = damping.measure({"batch_size": 8}, "none", 0, {})
    assert damping.measure({"batch_size": 8}, "constant", 0, {"oh": 1.0, "ie": 1.0}) == plain
    assert damping.measure({"batch_size": 8}, "constant", 0, {"oh": 1.0, "ie": 3.0}) != plain
