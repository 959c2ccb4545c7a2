"""Write the generated part of INSTRUCTOR.md: `python tools/instructor_guide.py`.

Run it after a notebook, an exercise or docs/instructor/answers.toml changed. Between its two marks stand, for each
notebook: goal and time, what to skip, each prediction with the expected answer, and each exercise with its typical
errors. Questions and sentences come from the notebooks and the exercises themselves.
"""

import re
import tomllib

import jupytext
from build_notebooks import NOTEBOOKS, TOP, sources

from rdskd_lab.course.lesson import find_exercises

GUIDE = NOTEBOOKS / "INSTRUCTOR.md"
ANSWERS = TOP / "docs" / "instructor" / "answers.toml"
BEGIN = "<!-- tools/instructor_guide.py writes what follows -->"
END = "<!-- end of what tools/instructor_guide.py writes -->"
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
    told += [f"- **When you are late.** {answers['late']}", f"- **For the quick ones.** {answers['quick']}"]
    for number, (question, answer) in enumerate(zip(questions(source), answers["predictions"], strict=True), 1):
        told += ["", f"**Prediction {number}.** {question}", "", f"- *Expected*: {answer['expect']}"]
        told += [f"- *Usual wrong guess*: {answer['wrong']}", f"- *Ask then*: {answer['ask']}"]
    minutes = answers["minutes"]
    for number, (exercise, time) in enumerate(zip(find_exercises(source.stem), minutes, strict=True), 1):
        told += [
            "",
            f"**Exercise {number}: {exercise.title}** About {time} minutes. Typical errors, and what the check says:",
        ]
        told += ["", *(f"- *{wrong.name}*: {wrong.says}" for wrong in exercise.misconceptions)]
    return "\n".join(told)


def write(guide: str) -> str:
    """Return the guide with a fresh generated part."""
    middle = "\n\n".join([BEGIN, *map(tell, sources()), END])
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: middle, guide, flags=re.DOTALL)


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
