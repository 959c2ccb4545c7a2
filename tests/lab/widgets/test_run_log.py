"""The log of tries: what is written down, how it is sorted, that a try is done again bit for bit."""

import re
import time
from html.parser import HTMLParser

import pytest
from toys import copied, same  # noqa: F401

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL  # noqa: E402

from rdskd_lab.lab import Lab  # noqa: E402
from rdskd_lab.lab.session.record import Edit  # noqa: E402
from rdskd_lab.lab.widgets.fork import split  # noqa: E402
from rdskd_lab.lab.widgets.run_log import ORDERS  # noqa: E402


@pytest.fixture
def three(lab):
    """Tries of 6, 4 and 2 steps: one edited on its way, one without a term and of another seed, one of DAFL."""
    lab.play(3)
    lab.edit("ie", "weight", 2.5)
    lab.learn()
    lab.play(3)
    lab.first = dict(lab.record.columns), list(lab.record.edits), copied(lab.experiment.run.generator)
    lab.learn(False)
    lab.reset(seed=1)
    lab.edit("ie", "on", False)
    lab.play(4)
    lab.use("dafl")
    lab.play(2)
    return lab


def test_every_configuration_is_a_row_with_its_outcome(three):
    log = three.run_log.all("steps")
    assert [(t.number, t.method, t.seed, t.steps) for t in log] == [
        (1, "rdskd", 0, 6),
        (2, "rdskd", 1, 4),
        (3, "dafl", 1, 2),
    ]
    assert log[0].changes() == "ie x 2.5 at 3, student learns at 3, student rests at 6"
    assert log[1].changes() == "ie off, ie x 2.5"
    assert log[2].changes() == "nothing" and list(log[2].raw) == ["oh", "ie", "act"]
    assert log[0].student == pytest.approx(three.run_log.past[0].student) and 0 < log[0].student < 1
    assert log[1].student is None and all(1 <= t.classes <= 10 for t in log)
    look = three.experiment.look()
    assert log[2].raw == look.raw  # the row of the run on the page is how it stands


def test_a_run_that_made_no_step_is_no_try(lab):
    lab.reset(seed=5)
    lab.use("mskd")
    assert lab.run_log.all() == [] and lab.run_log.panel.layout.display == "none"


def test_the_same_configuration_again_keeps_the_row_that_came_further(lab):
    for steps in 2, 5, 3:
        lab.play(steps)
        lab.reset()
    assert [(t.number, t.steps) for t in lab.run_log.all()] == [(1, 5)]
    lab.reset(seed=1)
    lab.play(1)
    assert [t.number for t in lab.run_log.all()] == [2, 1]


def test_the_best_come_first_and_what_lacks_the_number_last(three):
    by = {order: [t.number for t in three.run_log.all(order)] for order in (*ORDERS, "oh", "ds", "act")}
    raw = {t.number: t.raw for t in three.run_log.all()}
    assert by["newest"] == [3, 2, 1] and by["steps"] == [1, 2, 3] and by["student"] == [1, 3, 2]
    assert by["oh"] == sorted(raw, key=lambda n: raw[n]["oh"])
    assert by["ds"][-1] == 3 and by["act"][0] == 3
    with pytest.raises(ValueError, match="not by 'accuracy'"):
        three.run_log.all("accuracy")


def test_a_try_is_done_again_bit_for_bit_with_its_edits(three):
    three.run_log.which.value = 1
    three.run_log.again.click()
    assert (three.experiment.done, three.experiment.method, three.experiment.seed) == (0, "rdskd", 0)
    assert three.screen.run["method"] == "rdskd" and "Try 1 again" in three.screen.live["reason"]
    assert three.screen.live["terms"]["ie"]["weight"] == 1 and not three.screen.live["learning"]
    three.play(6)
    columns, edits, generator = three.first
    assert three.record.columns == columns and three.record.edits[:2] == edits
    assert same(copied(three.experiment.run.generator), generator)
    assert three.screen.live["terms"]["ie"]["weight"] == 2.5
    assert [t.number for t in three.run_log.all()] == [3, 2, 1]  # it is try 1, not a fourth


def test_a_student_that_learned_from_the_start_does_so_again(lab):
    lab.learn()
    lab.play(2)
    lab.learn(False)
    lab.reset(seed=1)
    lab.play(1)
    lab.run_log.open(1)
    assert lab.screen.live["learning"] and lab.experiment.learning
    lab.play(2)
    assert [str(edit) for edit in lab.record.edits] == ["student learns", "student rests"]
    assert not lab.screen.live["learning"]


def test_what_is_left_behind_by_going_back_is_a_try_too(lab):
    lab.play(4)
    lab.rewind(2)
    lab.edit("ie", "on", False)
    lab.play(1)
    assert [(t.number, t.steps, t.changes()) for t in lab.run_log.all()] == [(2, 3, "ie off at 2"), (1, 4, "nothing")]


def test_a_branch_that_the_lab_goes_on_with_is_a_try_and_what_it_leaves_is_one(lab):
    lab.play(4)
    _, changed = split(lab.experiment, lab.trace, Edit(4, "ie", "on", False))
    lab.player.ask(lambda: lab.adopt(changed.experiment, changed.trace, changed.name))
    lab.play(2)
    assert [(t.number, t.steps, t.changes()) for t in lab.run_log.all()] == [(2, 6, "ie off at 4"), (1, 4, "nothing")]


def test_a_wrong_number_and_a_rule_without_a_name_are_told(three):
    with pytest.raises(ValueError, match="there is no try 9; there are 3, 2, 1"):
        three.run_log.open(9)
    three.experiment.objective["oh"].rule = lambda i, raw, anchor: raw - 1
    three.reset()
    with pytest.raises(ValueError, match="an anchor rule of your own"):
        three.run_log.open(3)


def test_the_controls_sort_and_the_table_says_which_row_is_on_the_page(three):
    three.run_log.order.value = "steps"
    rows = three.run_log.table.value.split("<tr")[2:]
    assert [row.split("scope=row>")[1][0] for row in rows] == ["1", "2", "3"]
    assert ["(now)" in row for row in rows] == [False, False, True]
    assert f"<code>Lab.from_share(&#x27;{three.share()}&#x27;)</code>" in three.run_log.table.value
    text = str(three.run_log).splitlines()
    assert text[0].split() == "try method seed changed steps classes student oh ie act ds".split()
    assert len(text) == 4 and text[1].startswith("3    dafl")


def test_a_thousand_edits_are_a_short_row_and_cost_little(lab):
    lab.record.edits += [Edit(step, "ie", "on", bool(step % 2)) for step in range(1000)]
    lab.experiment.objective["ie"].on = True
    lab.experiment.run.done["synthesise"] = 1000
    start = time.process_time()
    lab.run_log.show()
    assert time.process_time() - start < 1
    assert lab.run_log.all()[0].changes().endswith("and 992 edits more")


class Reading(HTMLParser):
    """The words of a page, and its tables row by row."""

    def __init__(self, text: str):
        super().__init__()
        self.rows, self.words, self.alts, self.hidden = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("script", "style")
        self.rows += [[]] if tag in ("tr", "section") else []
        self.alts += [value for name, value in attributes if name == "alt"]

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden and data.strip():
            self.words.append(data)
            if self.rows:
                self.rows[-1].append(data)


def test_the_report_tells_what_was_tried(three, tmp_path):
    path = three.report(tmp_path / "lab.html")
    page = Reading(path.read_text("utf-8"))
    terms = ["oh", "ie", "act", "ds"]
    for one in three.run_log.all():
        assert [cell for cell in one.cells(terms) if cell] in page.rows
    assert "A lab of DAFL: 3 tries" in page.words
    assert len(page.alts) == len(three.trace.moments) and page.alts[0].startswith("16 generated images at step 0")
    assert f"Lab.from_share({three.share()!r})" in "".join(page.words) and three.export_code() in page.words
    # plotly's own library, an older one at least, holds such text in code that the page's policy would refuse to run
    plain = re.sub(r"<script>.*?</script>", "", path.read_text("utf-8"), flags=re.DOTALL)
    assert "<h1>" in plain and not [word for word in ("http://", "https://") if f'src="{word}' in plain]


def test_the_report_of_an_edited_run_lists_its_edits_and_of_an_empty_one_says_so(lab, tmp_path):
    empty = " ".join(Reading(lab.report(tmp_path / "none.html").read_text("utf-8")).words)
    assert "0 tries" in empty and "ie off" not in empty and "The 1,000 real digits only tested the student" in empty
    lab.play(2)
    lab.edit("ie", "on", False)
    lab.play(2)
    rows = Reading(lab.report(tmp_path / "some.html").read_text("utf-8")).rows
    assert ["2", "ie off", "information entropy loss"] in rows


def test_a_teacher_of_ones_own_is_in_the_report_as_a_sentence(lab, tmp_path):
    teacher = lab.experiment.run.teacher
    other = Lab(mode="inline", settings=SMALL, learn=False, teacher=teacher)
    other.play(1)
    said = " ".join(Reading(other.report(tmp_path / "own.html").read_text("utf-8")).words)
    assert "one of your own" in said and "No real images were used." in said
    other.close()
