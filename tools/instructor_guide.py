"""Write the generated parts of INSTRUCTOR.md: `python tools/instructor_guide.py`.

Run it after a notebook, an exercise or a file of docs/instructor/ changed. It writes between marks: the plan of the
90-minute class, whose times it adds up; and for each notebook goal and time, what to skip, each prediction with the
expected answer, and each exercise with its typical errors. Questions and sentences come from the notebooks and the
exercises themselves.
"""

import csv
import math
import re
import tomllib
from typing import NamedTuple

import jupytext
from build_notebooks import NOTEBOOKS, SOURCES, TOP, sources

from rdskd_lab.course.lesson import find_exercises

GUIDE = NOTEBOOKS / "INSTRUCTOR.md"
ANSWERS = TOP / "docs" / "instructor" / "answers.toml"
BEGIN = "<!-- tools/instructor_guide.py writes what follows -->"
END = "<!-- end of what tools/instructor_guide.py writes -->"
PLAN = TOP / "docs" / "instructor" / "ninety_minutes.toml"
BEGIN_PLAN = "<!-- tools/instructor_guide.py writes this plan -->"
END_PLAN = "<!-- end of the plan -->"
QUESTION = re.compile(r"\*(?:Predict before you run: |Before you (?:look|go on): )")


def questions(source) -> list[str]:
    """Return the questions of a notebook that ask for a prediction, without their first words."""
    texts = [" ".join(cell.source.split()) for cell in jupytext.read(source).cells if cell.cell_type == "markdown"]
    asked = [QUESTION.split(text)[1:] for text in texts]
    return [_upper(_without_the_last_star(question)) for found in asked for question in found]


def tell(source) -> str:
    """Return a notebook's part of the guide, as Markdown."""
    title, *paragraphs = jupytext.read(source).cells[0].source.split("\n\n")
    answers = tomllib.loads(ANSWERS.read_text(encoding="utf-8"))[source.stem]
    told = [f"### {title.lstrip('# ')}", ""]
    told += [f"- {' '.join(text.split())}" for text in paragraphs if text.startswith(("**Goal.**", "**Time.**"))]
    told += [f"- **If you are short of time.** {answers['late']}"]
    told += [f"- **For those who finish early.** {answers['quick']}"]
    for number, (question, answer) in enumerate(zip(questions(source), answers["predictions"], strict=True), 1):
        told += ["", f"**Prediction {number}.** {question}", "", f"- *Expected answer*: {answer['expect']}"]
        told += [f"- *Usual wrong guess*: {answer['wrong']}", f"- *Then ask*: {answer['ask']}"]
    minutes = answers["minutes"]
    for number, (exercise, time) in enumerate(zip(find_exercises(source.stem), minutes, strict=True), 1):
        told += [
            "",
            f"**Exercise {number}: {exercise.title}** About {time} minutes. Typical errors, and what the check says:",
        ]
        told += ["", *(f"- *{wrong.name}*: {wrong.says}" for wrong in exercise.misconceptions)]
    return "\n".join(told)


class Part(NamedTuple):
    """A part of the 90-minute class: `talk` minutes for exercises and discussion, `reading` minutes for the prose."""

    section: str
    talk: float
    reading: float
    do: str


def prose(notebook: str) -> dict[str, int]:
    """Count the words of each section of a notebook: {heading: words of its text, formulas and tables included}."""
    words, section = {}, ""
    for cell in jupytext.read(SOURCES / f"{notebook}.py").cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if heading := re.fullmatch(r"##? (.*)", line):
                section = heading[1]
            words[section] = words.get(section, 0) + len(line.split())
    return words


def class_plan() -> tuple[list[Part], float, dict]:
    """Return the parts of the 90-minute class, the minutes of computing of one core, and the file's other entries."""
    plan = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    words, rows = prose(plan["notebook"]), plan.pop("part")
    if (planned := [row["section"] for row in rows]) != list(words):
        raise SystemExit(f"{PLAN.name} plans {planned}, but the notebook has {list(words)}")
    parts = [Part(r["section"], r["minutes"], words[r["section"]] / plan["words_a_minute"], r["do"]) for r in rows]
    with open(TOP / "results" / "notebooks.csv", encoding="utf-8") as file:
        seconds = {row["notebook"]: float(row["cpu_s"]) for row in csv.DictReader(file)}
    return parts, seconds[plan["notebook"]] / 60, plan


def tell_plan() -> str:
    """Return the plan as Markdown: a row for each part with its minutes, and the sum."""
    parts, computing, plan = class_plan()
    told, start = ["| minutes | section of the notebook | what you do |", "|---|---|---|"], 0.0
    for part in parts:
        end = start + part.talk + part.reading
        when = f"{start:.0f} to {end:.0f}" if part.talk else "after"
        told.append(f"| {when} | {part.section} | {part.do} |")
        start = end if part.talk else start
    talk, reading = sum(part.talk for part in parts), sum(part.reading for part in parts)
    told += [
        "",
        f"In all {math.ceil(talk + reading + computing)} minutes: {talk} for talk, exercises and lab, {reading:.0f} "
        f"to read everything, what is for home too, at {plan['words_a_minute']} words per minute, and "
        f"{computing:.1f} for computing on one core. The rest of the 90 minutes is for what goes wrong.",
    ]
    return "\n".join(told)


def write(guide: str) -> str:
    """Return the guide with fresh generated parts."""
    notebooks = "\n\n".join([BEGIN, *map(tell, sources()), END])
    plan = "\n\n".join([BEGIN_PLAN, tell_plan(), END_PLAN])
    for begin, end, middle in ((BEGIN, END, notebooks), (BEGIN_PLAN, END_PLAN, plan)):
        guide = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _, text=middle: text, guide, flags=re.DOTALL)
    return guide


def _without_the_last_star(text: str) -> str:
    """Cut a question at the star that ends its emphasis; a star before a formula or a code word does not end it."""
    ends = [match.start() for match in re.finditer(r"\*", text)]
    while ends and text[ends[0] + 1 : ends[0] + 3].lstrip()[:1] == "$":  # *... deviation* $\sigma$*. Is it ...*
        ends = ends[2:] if len(ends) > 2 else ends[1:]
    return (text[: ends[0]] if ends else text).replace("*", "")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    GUIDE.write_text(write(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Wrote {GUIDE.name}: {len(sources())} notebooks.")
