"""Write the tables and the figure of what was measured so far: `python benchmarks/any_teacher/tables.py`.

results/any_teacher.md
results/any_teacher.png      teachers, and their students by RDSKD alone, our recipe, procedural and real images
"""

import csv
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
from forecast import rank_correlation
from suite import BLENDED, LEFT_OUT, LISTS, SEEDS, TABLE, rows
from teachers import TABLE as SUITE
from teachers import TEACHERS, TOP

TARGET, FIGURE = TOP / "results" / "any_teacher.md", TOP / "results" / "any_teacher.png"
SHOWN = {"rdskd": ("RDSKD", "#d55e00", "o"), "any-teacher": ("any-teacher", "#0072b2", "D")}
SHOWN |= {"procedural": ("procedural images alone", "#009e73", "^"), "real": ("with the real images", "#777777", "|")}
AGAIN = " †"  # of students whose teacher was trained once more
WITH_BLENDS = "+blends, contrast"
LOW = 50  # % at the left of the figure; what is below stands there as a number


def cell(found: list[dict], weights: str) -> str:
    """Return the median over seeds in per cent, with the range if there are several, and the seeds if some lack.

    It is marked where the teacher was another one than that of the suite, whose file begins with `weights`.
    """
    values = sorted(100 * float(r["test_accuracy"]) for r in found)
    if not values:
        return ""
    text = f"{median(values):.1f}"
    text += f" ({values[0]:.1f} to {values[-1]:.1f})" if len(values) > 1 else ""
    text += AGAIN if any(r.get("weights", weights) != weights for r in found) else ""
    return text + (f" [{len(values)} of {len(SEEDS)} seeds]" if len(values) < len(SEEDS) else "")


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    """Return a Markdown table."""
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]


def grid(all_rows: list[dict], preset: str, arms, names) -> list[str]:
    """Return teachers x arms."""
    suite = {r["name"]: r for r in csv.DictReader(SUITE.open())}
    lines = []
    for name in names:
        accuracy = f"{100 * float(suite[name]['test_accuracy']):.1f}" if name in suite else "not made yet"
        chosen = [[r for r in all_rows if (r["preset"], r["arm"], r["teacher"]) == (preset, arm, name)] for arm in arms]
        weights = suite[name]["sha256"][:8] if name in suite else ""
        lines.append([name, TEACHERS[name].half, accuracy, *(cell(found, weights) for found in chosen)])
    return table(["teacher", "half", "its accuracy", *arms], lines)


def worst(all_rows: list[dict]) -> list[str]:
    """Return the worst medians of each preset and arm, over the teachers that were measured."""
    lines = []
    for preset in "classroom", "long":
        for arm in dict.fromkeys(r["arm"] for r in all_rows if r["preset"] == preset and r["arm"] not in LEFT_OUT):
            groups = {
                "MNIST, reported half": [n for n, t in TEACHERS.items() if t.data == "mnist" and t.half == "reported"],
                "MNIST, all": [n for n, t in TEACHERS.items() if t.data == "mnist"],
                "Fashion-MNIST": [n for n, t in TEACHERS.items() if t.data != "mnist"],
            }
            line = [preset, arm]
            for names in groups.values():
                found = {
                    name: [
                        float(r["test_accuracy"])
                        for r in all_rows
                        if (r["preset"], r["arm"], r["teacher"]) == (preset, arm, name)
                    ]
                    for name in names
                }
                medians = {name: median(values) for name, values in found.items() if values}
                low = min(medians, key=medians.get) if medians else ""
                line.append(f"{100 * medians[low]:.1f} ({low}; {len(medians)} of {len(names)} teachers)" if low else "")
            lines.append(line)
    return table(["preset", "method", *groups], lines) if lines else []


def without_data(all_rows: list[dict]) -> list[str]:
    """Return how well agreement on images that need no data tells the student's accuracy, over the teachers.

    The error is the root mean square, in points, of a line through all teachers but the one that is predicted; the last
    column is the same for the mean of the others' accuracies, which looks at nothing.
    """
    lines = []
    for arm in "rdskd", "any-teacher":
        some = [r for r in all_rows if (r["preset"], r["arm"]) == ("classroom", arm)]
        names = [name for name in TEACHERS if any(r["teacher"] == name for r in some)]
        for kind in "generated", "procedural", "noise":
            x, y = (
                np.array([100 * median(float(r[c]) for r in some if r["teacher"] == name) for name in names])
                for c in (f"agreement_{kind}", "test_accuracy")
            )
            missed, plain = [], []
            for k in range(len(names)):
                others = np.arange(len(names)) != k
                slope, origin = np.polyfit(x[others], y[others], 1)
                missed.append(origin + slope * x[k] - y[k])
                plain.append(y[others].mean() - y[k])
            found = [rank_correlation(list(x), list(y)), *(np.sqrt(np.mean(np.square(e))) for e in (missed, plain))]
            lines.append([arm, kind, str(len(names)), f"{found[0]:.2f}", *(f"{error:.1f}" for error in found[1:])])
    return table(["students of", "agreement on", "teachers", "rank correlation", "error", "without looking"], lines)


def of_one_teacher(all_rows: list[dict]) -> list[str]:
    """Return how well the same agreement ranks the data-free students of one teacher, all arms and seeds together."""
    lines, some = [], [r for r in all_rows if r["preset"] == "classroom" and r["arm"] != "real"]
    for kind in "generated", "procedural", "noise":
        found = []
        for name in TEACHERS:
            own = [r for r in some if r["teacher"] == name]
            pairs = [[float(r[column]) for r in own] for column in (f"agreement_{kind}", "test_accuracy")]
            found += [rank_correlation(*pairs)] if len(own) >= 5 else []
        if found:
            lines.append([kind, str(len(found)), f"{median(found):.2f}", f"{min(found):.2f} to {max(found):.2f}"])
    return table(["agreement on", "teachers", "rank correlation, median", "range"], lines)


def draw(all_rows: list[dict]) -> None:
    """Draw each teacher's students at `classroom`: median and range, the hardest teacher for RDSKD on top."""
    values = {(r["arm"], r["teacher"]): [] for r in all_rows if r["preset"] == "classroom" and r["arm"] in SHOWN}
    for r in all_rows:
        if r["preset"] == "classroom" and r["arm"] in SHOWN:
            values[r["arm"], r["teacher"]].append(100 * float(r["test_accuracy"]))
    names = [name for name in TEACHERS if ("rdskd", name) in values]
    names.sort(key=lambda name: -median(values["rdskd", name]))
    figure, axes = plt.subplots(figsize=(7.2, 0.29 * len(names) + 1.1), dpi=120)
    for arm, (words, colour, mark) in SHOWN.items():
        some = [(y, values[arm, name]) for y, name in enumerate(names) if (arm, name) in values]
        axes.hlines([y for y, _ in some], [min(v) for _, v in some], [max(v) for _, v in some], colour, lw=2, alpha=0.5)
        size = 90 if mark == "|" else 30
        axes.scatter(
            [median(v) for _, v in some], [y for y, _ in some], size, colour, marker=mark, label=words, zorder=3
        )
    for (arm, name), found in values.items():
        if name in names and median(found) < LOW:  # one far below would leave the others no room
            axes.text(
                LOW + 0.3, names.index(name), f"◂ {median(found):.0f}", color=SHOWN[arm][1], va="center", fontsize=8
            )
    axes.set_xlim(LOW, 100.5)
    axes.set_yticks(range(len(names)), [TEACHERS[name].words for name in names], fontsize=8)
    axes.set_xlabel("student's accuracy on test images, %")
    axes.grid(axis="x", color="#dddddd")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower left", frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(FIGURE)


def main() -> None:
    """Write all tables, draw the figure."""
    found, blended = rows(), rows(BLENDED)
    before = [r | {"arm": WITH_BLENDS} for r in blended if r["arm"] == "any-teacher"]
    seconds = {
        (r["preset"], r["arm"]): [
            float(x["generator_cpu_s"]) + float(x["student_cpu_s"])
            for x in found
            if (x["preset"], x["arm"]) == (r["preset"], r["arm"])
        ]
        for r in found
    }
    main_arms = [arm for name in ("recipe", "pure", "rivals", "controls") for arm in LISTS[name][1]]
    text = [
        "# Any teacher: what was measured",
        "",
        "Written by `benchmarks/any_teacher/tables.py` from `any_teacher.csv`. Per cent of 10,000 test images, "
        "median over seeds 0 to 2 and range; where seeds or teachers are missing they have not been run yet. "
        "Numbers of `tuning` teachers are not clean: the recipe was chosen on them (on tuning images, by other seeds).",
        "",
        "## The worst teacher",
        "",
        *worst(found),
        "",
        "## `classroom`",
        "",
        *grid(found, "classroom", main_arms, TEACHERS),
        "",
        "## `long`",
        "",
        *grid(found, "long", LISTS["long"][1], TEACHERS),
        "",
        f"{AGAIN.strip()} Its teacher was trained once more, in the same way, on a processor without AVX-512, which "
        "gives other weights; `any_teacher_again.csv` has its accuracy. Compare such a cell with its neighbour as you "
        "would compare two seeds.",
        "",
        "## Our recipe without each of its parts, `classroom`",
        "",
        *grid(found + before, "classroom", ["any-teacher", *LEFT_OUT, WITH_BLENDS], TEACHERS),
        "",
        "The last column is the recipe as it was before: half of the images blended with another one, half in another "
        "contrast and brightness (`any_teacher_blended.csv`).",
        "",
        "## What agreement without data says of the accuracy on test images, `classroom`",
        "",
        "Student and teacher agree on a share of images that need no data. Error: root mean square, in points, of a "
        "line fitted to the other teachers; and of their mean accuracy, which looks at nothing.",
        "",
        *without_data(found),
        "",
        "The same agreement, among the students of one teacher:",
        "",
        *of_one_teacher(found + blended),
        "",
        "## Seconds of computing (one thread, busy machines; most rows of `long` on the slower one)",
        "",
        *table(["preset", "method", "median"], [[*key, f"{median(values):.0f}"] for key, values in seconds.items()]),
    ]
    TARGET.write_text("\n".join(text) + "\n")
    draw(found)
    print(TARGET, len(found), "rows of", TABLE)


if __name__ == "__main__":
    main()
