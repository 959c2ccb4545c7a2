"""Write what INSTRUCTOR.md takes from the notebooks: `python tools/instructor_guide.py`.  Do so after an exercise or a
time changed.

Between its two marks stand each notebook's goal and time, and each exercise's typical errors with the sentence that the
check says, so that the guide cannot say anything else than the exercises do.
"""

import re

import jupytext
from build_notebooks import NOTEBOOKS, sources

from rdskd_lab.course.lesson import find_exercises

GUIDE = NOTEBOOKS / "INSTRUCTOR.md"
BEGIN = "<!-- tools/instructor_guide.py writes what follows -->"
END = "<!-- end of what tools/instructor_guide.py writes -->"


def tell(source) -> str:
    """A notebook's part of the guide, as Markdown."""
    title, *paragraphs = jupytext.read(source).cells[0].source.split("\n\n")
    told = [f"### {title.lstrip('# ')}", ""]
    told += [f"- {' '.join(text.split())}" for text in paragraphs if text.startswith(("**Goal.**", "**Time.**"))]
    for number, exercise in enumerate(find_exercises(source.stem), 1):
        told += ["", f"**Exercise {number}: {exercise.title}** Typical errors, and what the check says:", ""]
        told += [f"- *{wrong.name}*: {wrong.says}" for wrong in exercise.misconceptions]
    return "\n".join(told)


def write(guide: str) -> str:
    """The guide with a fresh middle part."""
    middle = "\n\n".join([BEGIN, *map(tell, sources()), END])
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: middle, guide, flags=re.DOTALL)


if __name__ == "__main__":
    GUIDE.write_text(write(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Wrote {GUIDE.name}: {len(sources())} notebooks.")
