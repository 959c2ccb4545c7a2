"""What the engine costs: the figures that are made of time stamps, and what the table is made to say."""

import csv
import json
import math

import overhead
import pytest
import torch
from toys import records

from rdskd_lab.runs.config import resolve


def test_a_process_first_trial_and_its_start_are_no_part_of_the_steady_state():
    alone = [(103, 130), (130, 140), (140, 152)]  # the first takes 27 s, the others 10 and 12
    assert overhead.figures(alone, 100, 155, workers=0) == {"startup_s": 3, "trial_s": 11, "whole_s": 55}
    assert overhead.figures(alone, 100, 155, workers=1)["trial_s"] == 11
    # two at a time: after the first pair four trials are done in 20 s, so one is done every 5 s
    pairs = [(104, 130), (105, 131), (130, 140), (131, 141), (140, 150), (141, 151)]
    found = overhead.figures(pairs[::-1], 100, 160, workers=2)
    assert found == {"startup_s": 4, "trial_s": 5, "whole_s": 60}
    assert math.isnan(overhead.figures(pairs[:2], 100, 160, workers=2)["trial_s"])


def test_ratios_are_taken_within_a_repeat_and_given_as_median_least_and_most():
    bare, one = {"0": 10, "1": 100, "2": 1000}, {"0": 11, "1": 120, "2": 1300}
    found = [(n, way, s, s, s) for way, seconds in (("bare", bare), ("one", one)) for n, s in seconds.items()]
    rows = records("repeat way trial_s whole_s cpu_s", *found)
    assert overhead.ratios(rows, "one", "bare", "trial_s") == pytest.approx([1.1, 1.2, 1.3])
    first, *rest = overhead.sentences(rows)
    assert first == "one worker takes 1.200 (1.100 to 1.300, n = 3) times the bare loop's time for a trial"
    assert len(rest) == 2  # nothing is said of ways that were not measured


def test_the_bare_loop_does_every_trial_of_the_grid_with_one_thread(tmp_path):
    trials = overhead.grid("bare", 2, (4, 4))
    assert [t.config.seed for t in trials] == [0, 1]
    assert {resolve(t.config).settings.generator_steps for t in trials} == {4}
    threads = torch.get_num_threads()
    try:
        overhead.work("bare", tmp_path, trials)
    finally:
        torch.set_num_threads(threads)  # as the other tests had it
    rows = [json.loads(path.read_text()) for path in sorted((tmp_path / "done").iterdir())]
    assert [row["outcome"] for row in rows] == ["finished"] * 2 and rows[0]["ended"] <= rows[1]["begun"]
    assert all(row["machine"].endswith(" 1 threads") for row in rows)


def test_the_stored_table_has_every_way_in_every_repeat_of_one_grid():
    rows = list(csv.DictReader(overhead.TABLE.open(newline="")))
    assert [row["way"] for row in rows] == 3 * list(overhead.WORKERS)
    assert len({(row["trials"], row["generator_steps"], row["student_steps"]) for row in rows}) == 1
