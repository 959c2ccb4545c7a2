"""What the notebooks say in words agrees with the numbers beside it: those printed, and those of the ten stored seeds."""

import math
import re
from statistics import fmean

import build_notebooks as build
import nbformat
import pytest

from rdskd_lab.course.bands import LUCK, read_bands, typical

NAMES = [path.stem for path in build.sources()]


def prose(notebook):
    cells = nbformat.read(build.NOTEBOOKS / f"{notebook}.ipynb", 4).cells
    return " ".join(" ".join(cell.source.split()) for cell in cells if cell.cell_type == "markdown")


def printed(notebook):
    cells = nbformat.read(build.NOTEBOOKS / f"{notebook}.ipynb", 4).cells
    return "\n".join(o.get("text", "") for cell in cells for o in cell.get("outputs", []))


def number(notebook, pattern):
    """The number that a line of the output holds, where the pattern has its group."""
    return float(re.search(pattern, printed(notebook))[1])


def yours(notebook, name):
    return number(notebook, re.escape(f"{name}: ") + r"yours (-?[\d.]+)")


def ten(notebook, name):
    return read_bands(notebook)[name]


def gap(notebook, a, b):
    """Differences between two results, seed by seed."""
    return [x - y for x, y in zip(ten(notebook, a), ten(notebook, b), strict=True)]


F07, OH05, IE05 = "07_fluctuations_and_damping", "effective classes, oh alone", "effective classes, oh + ie"
FLOOR = r"ds +([\d.]+)"

# (notebook, the words of the text, whether the numbers agree)
CLAIMS = [
    ("02_distillation", "over ten seeds they are never behind, and on average they are 0.8 points ahead",
     lambda n: min(gap(n, "student of real digits", "student of labels")) >= 0
     and abs(100 * fmean(gap(n, "student of real digits", "student of labels")) - 0.8) < 0.05),
    ("03_generator", "a student trained on noise reads a fifth of the digits correctly",
     lambda n: abs(fmean(ten("02_distillation", "student of noise")) - 0.2) < 0.03),
    ("03_generator", "a quarter of the noise's own spread", lambda n: abs(number(n, r"a pixel moved by ([\d.]+)") - 0.25) < 0.05),
    ("03_generator", "The teacher is certain", lambda n: number(n, r"([\d.]+) after 10 steps") > 0.95),
    ("04_authenticity", "the effective number of classes fell within 300 steps for every one of ten seeds",
     lambda n: max(gap(n, "effective classes at the end", "effective classes at the start")) < 0
     and yours(n, "effective classes at the end") < yours(n, "effective classes at the start")),
    ("04_authenticity", "It did not fall to 1", lambda n: min(ten(n, "effective classes at the end")) > 1.2),
    ("05_class_diversity", "from about 5 effective classes to about 3",
     lambda n: abs(fmean(ten(n, OH05)) - 3) < 0.5 and abs(fmean(ten("04_authenticity", "effective classes at the start")) - 5) < 0.5),
    ("05_class_diversity", "With `ie` it keeps 9 or more", lambda n: min(ten(n, IE05)) >= 9 and yours(n, IE05) >= 9),
    ("05_class_diversity", "but the images are a little less authentic", lambda n: min(ten(n, "L_OH of oh + ie, less that of oh alone")) > 0),
    ("05_class_diversity", "the angle between the two slopes is slightly more than a right angle",
     lambda n: -0.3 < number(n, r"cosine of the two slopes: ([-+\d.]+)") < 0),
    ("06_inter_sample_diversity", "pulls at least 50 times less than `oh`", lambda n: number(n, r"oh +([\d.]+)") / number(n, FLOOR) >= 50),
    ("06_inter_sample_diversity", "more than nine tenths of its pull brings answers nearer",
     lambda n: number(n, r"ds: answers nearer +([\d.]+)") / number(n, FLOOR) > 0.9),
    ("06_inter_sample_diversity", "Mode seeking with weight 1 moves images further apart",
     lambda n: min(gap(n, "distance of images, ms x 1", "distance of images, nothing")) > 0),
    (F07, "For each of our ten stored seeds, the mean was below 0", lambda n: max(ten(n, "mean cosine of the two gradients")) < 0),
    (F07, "The increments are opposed in about half of the steps",
     lambda n: 40 <= number(n, r"one rises and the other falls in: yours (\d+)") <= 60),
    (F07, "several times smaller", lambda n: max(ten(n, "F on the probe, as a share of F on training batches, oh")) < 1 / 3),
    (F07, r"$F = \sigma / \sqrt\pi = 0.564\,\sigma$", lambda n: abs(number(n, r"F = ([\d.]+)") - 0.564) < 0.005),
    (F07, r"A rise of $\ln 2 = 0.69$ nats doubles the gain", lambda n: abs(number(n, r"L - a = +0.6931 +gain ([\d.]+)") - 2) < 1e-3),
    (F07, "-2.09 instead of -2.18, which means 8.1 effective classes instead of 8.8",
     lambda n: abs(math.exp(2.09) - 8.1) < 0.05 and abs(math.exp(2.18) - 8.8) < 0.05),
    ("08_rdskd", "the teacher reads about 99 % of 1,000 real digits", lambda n: abs(number(n, r"real digits: ([\d.]+)") - 0.99) < 0.005),
    ("09_experiments", "The price of more certainty is fewer classes",
     lambda n: min(gap(n, "certainty, oh with weight 30", "certainty, oh with weight 1")) > 0
     and max(gap(n, "effective classes, oh with weight 30", "effective classes, all terms on")) < 0),
    ("one_lesson", "The teacher is surer now. But digits are missing", lambda n: max(ten(n, "effective classes with oh alone")) < 5),
    ("one_lesson", "All digits are back, and the teacher is a little less sure",
     lambda n: min(ten(n, "effective classes with oh and ie")) >= 9
     and max(gap(n, "certainty with oh and ie", "certainty with oh alone")) < 0),
    ("one_lesson", "the student reads most of the real digits correctly", lambda n: min(ten(n, "student that saw generated images")) > 0.8),
    ("10_the_field", r"$5/\ln 10 = 2.171$", lambda n: abs(5 / math.log(10) - number(n, r"entropy loss +weight (2[\d.]+)")) < 1e-3),
    ("11_your_own_teacher", "for nine of ten seeds, the training pictures were nearer, by 0.001 to 0.008",
     lambda n: sum(d > 0 for d in gap(n, "nearest training picture", "nearest unseen picture")) == 9
     and 0.0005 < sorted(gap(n, "nearest training picture", "nearest unseen picture"))[1]
     and max(gap(n, "nearest training picture", "nearest unseen picture")) < 0.0085),
    ("11_your_own_teacher", "at most", lambda n: abs(math.e / (math.e + 9) - number(n, r"10 classes: certainty at most ([\d.]+)")) < 1e-4),
]  # fmt: skip


@pytest.mark.parametrize("notebook, words, agrees", CLAIMS, ids=[f"{row[0][:2]} {row[1][:40]}" for row in CLAIMS])
def test_a_claim_in_the_text_agrees_with_the_numbers_beside_it(notebook, words, agrees):
    assert words in prose(notebook), "the text says something else now: change the claim with it"
    assert agrees(notebook)


def test_of_the_committed_result_lines_at_most_one_in_ten_is_outside():
    lines = [line for name in NAMES for line in printed(name).splitlines() if ": yours " in line and "typical" in line]
    assert len(lines) >= 39 and sum(LUCK in line for line in lines) <= len(lines) / 10


@pytest.mark.parametrize("notebook", NAMES)
def test_a_committed_result_line_says_what_the_stored_values_say(notebook):
    lines = re.findall(r"(.*): yours (-?[\d.]+)( %)?.*?, typical (-?[\d.]+)(?: to (-?[\d.]+))?", printed(notebook))
    assert {line[0] for line in lines} == set(read_bands(notebook))
    for name, _, percent, low, high in lines:
        for edge, said in zip(typical(ten(notebook, name)), (low, high or low), strict=True):
            digits = len(said.partition(".")[2])
            shown = min(max(edge, 0), 1) * 100 if percent else edge
            assert abs(shown - float(said)) <= 0.51 * 10**-digits, (name, edge, said)
