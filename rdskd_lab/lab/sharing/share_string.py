"""An experiment as a short string to paste into a chat: `rdskd1:rdskd:7:ie-off@120,ie-on@340:xhe6`.

From left to right: the format's version, method, seed, what was changed and before which step, and a checksum.  It
notices a typo, and a version of the package whose own settings of the method, which the string leaves out, differ.  A
term that the method gained since the string was written is switched off, so that the run is the same.
A change is a term and the words of its edit, `oh-off`, `oh-x2.5-plain` (weight 2.5, not damped), `oh-b20` (strength of
damping 20); without a step it holds from the start.  `batch=8` is a setting of one's own, `teacher=own` a teacher that
has to be given again.  Where room is short, words are cut to two letters; where even that is too long, the changes are
left out for the terms as they stand, and the first word is `final`.  What is read is compared with tables, never run.
"""

import re
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from itertools import combinations, groupby

from ...methods.method import Settings
from ...objective import ANCHORS, Objective, Term
from ..session.experiment import PLAYABLE
from ..session.record import FIELDS, STUDENT, Edit

START = "rdskd1"  # the package and the version of this format
LONGEST = 120  # characters
WORDS = {
    "on": ("on", True),
    "off": ("on", False),
    "damped": ("damped", True),
    "plain": ("damped", False),
    **{rule: ("rule", rule) for rule in ANCHORS},
    "learns": ("learns", True),
    "rests": ("learns", False),
}
NUMBERS = {"x": "weight", "b": "strength"}  # the letter before the number
SETTINGS = {  # of all settings, those that the lab obeys: name here, name there, least, largest
    "batch": ("batch_size", 1, 512),
    "latent": ("latent", 1, 1024),
    "width": ("width", 2, 256),
    "lr": ("lr", 0.0, 10.0),
    "lesson": ("student_batch_size", 1, 1024),
    "studentlr": ("student_lr", 0.0, 10.0),
    "T": ("temperature", 0.01, 1000.0),
}
OPTIMIZERS = ("adam", "sgd")  # of the student
CHANGE = re.compile(r"(?P<term>[a-z0-9]+)(?P<words>(-[a-z0-9.]+)+)")
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")


class ShareError(ValueError):
    """A string that opens no experiment, or an experiment that no string can hold; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """All that an experiment needs to be made again.  `settings` None: the method's own, preset `classroom`."""

    method: str
    seed: int
    edits: tuple[Edit, ...] = ()  # in the order of their steps
    settings: Settings | None = None
    own_teacher: bool = False
    final: bool = False  # the edits are only how the terms stood at last, from step 0 on

    def net(self) -> "Recipe":
        """Drop the edits that changed nothing, and put those of a step in the table's order."""
        objective, learning, kept = PLAYABLE[self.method].terms(), False, []
        order = [(name, field) for name in objective for field in FIELDS] + [(STUDENT, "learns")]
        for _, made in groupby(self.edits, key=lambda edit: edit.step):
            last = {(edit.term, edit.field): edit for edit in made}
            for edit in sorted(last.values(), key=lambda edit: order.index((edit.term, edit.field))):
                changed = edit.value != learning if edit.term == STUDENT else edit.apply(objective)
                learning = edit.value if edit.term == STUDENT else learning
                kept += [edit] if changed else []
        return replace(self, edits=tuple(kept))


def recipe_of(experiment, edits: Iterable[Edit], own_teacher: bool = False) -> Recipe:
    """Return how to make `experiment` again, given its edits so far and any that are still to come.

    If somebody changed the terms without an edit, the edits do not describe the run: then the terms as they stand.
    """
    if experiment.start:
        raise ShareError("this run begins at a shipped checkpoint, which no string can name; send its trace instead")
    ours, settings = PLAYABLE[experiment.method].presets["classroom"], experiment.run.settings
    same = all(getattr(ours, name) == getattr(settings, name) for name in _setting_names())
    weighed = PLAYABLE[experiment.method].objective(settings)  # by settings that no string names
    edits = [*(Edit(0, name, "weight", term.weight) for name, term in weighed.items()), *edits]
    recipe = Recipe(experiment.method, experiment.seed, tuple(edits), None if same else settings, own_teacher).net()
    told = PLAYABLE[experiment.method].terms()
    for edit in recipe.edits:
        if edit.step <= experiment.done and edit.term != STUDENT:
            edit.apply(told)
    for name, term in experiment.objective.items():
        if term.rule not in ANCHORS.values():
            raise ShareError(
                f"term {name!r} has an anchor rule of your own, which no string can name; "
                f"choose one of {', '.join(ANCHORS)}"
            )
    if all(_row(told[name]) == _row(term) for name, term in experiment.objective.items()):
        return recipe
    return as_it_stands(recipe, experiment.objective, experiment.learning)


def as_it_stands(recipe: Recipe, objective: Objective, learning: bool) -> Recipe:
    """Return the recipe whose terms are those of `objective` from step 0 on."""
    edits = [Edit(0, name, field, value) for name, term in objective.items() for field, value in _row(term).items()]
    return replace(recipe, edits=(*edits, Edit(0, STUDENT, "learns", learning)), final=True).net()


def write(recipe: Recipe) -> str:
    """Write a recipe in at most 120 characters: with every edit if they fit, else with the final terms."""
    if not (type(recipe.seed) is int and 0 <= recipe.seed < 10**9):
        raise ShareError(f"a seed in a string lies between 0 and 999,999,999; it is {recipe.seed}")
    objective, learning = PLAYABLE[recipe.method].terms(), False
    for edit in recipe.edits:
        if edit.term == STUDENT:
            learning = edit.value
        else:
            edit.apply(objective)
    final = as_it_stands(recipe, objective, learning)
    for form, letters, digits in (recipe, 99, 99), (recipe, 2, 99), (final, 99, 4), (final, 2, 4):
        text = ":".join(filter(None, (START, form.method, str(form.seed), ",".join(_items(form, letters, digits)))))
        if len(text) + 5 <= LONGEST:
            return f"{text}:{_checksum(text)}"
    raise ShareError(
        f"this experiment has too many settings of its own for {LONGEST} characters; "
        "send its trace instead (rdskd_lab.lab.session.tracefile.save(lab.trace, path))"
    )


def read(text: str) -> Recipe:
    """Read the recipe of a string; raise ShareError, with a sentence, for anything else."""
    if not isinstance(text, str):
        raise ShareError(f"a shared experiment is a text that begins with {START}:, not {type(text).__name__}")
    text = text.strip(" \t\r\n'\"`")  # what a chat may put around it
    version, _, rest = text.partition(":")
    if not re.fullmatch("rdskd[0-9]{1,4}", version):
        raise ShareError(f"a shared experiment begins with {START}:, and this with {_quoted(text)}; copy it whole")
    if version != START:
        raise ShareError(f"this string is of format {version}, and this version reads {START}; update rdskd-lab")
    body, _, checksum = text.rpartition(":")
    method = rest.partition(":")[0]
    added = _added_since(body, checksum, method) if len(text) <= LONGEST else None
    if added is None:
        raise ShareError(
            "the checksum of this string does not fit: a character is wrong or missing, or it was made by a version of "
            "rdskd-lab with other settings; copy it whole, or open it with that version"
        )
    if body.count(":") not in (2, 3):
        _refuse("its parts", rest)
    _, seed, *items = body.split(":")[1:]
    if method not in PLAYABLE:
        raise ShareError(f"this string plays {_quoted(method)}, and this version has {', '.join(PLAYABLE)}")
    if not re.fullmatch("[0-9]{1,9}", seed):
        _refuse("its seed", seed)
    off = tuple(Edit(0, name, "on", False) for name in added)
    return _recipe(Recipe(method, int(seed), off), items[0].split(",") if items else [])


# ---- private ---------------------------------------------------------------------------------------------------------


def _recipe(recipe: Recipe, items: list[str]) -> Recipe:
    objective, settings, edits, at = PLAYABLE[recipe.method].terms(), {}, [], 0
    for place, item in enumerate(items):
        name, equals, value = item.partition("=")
        if item == "final" and not place:
            recipe = replace(recipe, final=True)
        elif item == "teacher=own":
            recipe = replace(recipe, own_teacher=True)
        elif equals:
            settings |= _setting(name, value)
        else:
            group, _, step = item.partition("@")
            if "@" in item and not re.fullmatch("[0-9]{1,7}", step):
                _refuse("a step", item)
            if int(step or 0) < at or (recipe.final and step):
                _refuse("the order of its steps", item)
            at = int(step or 0)
            edits += [edit for part in group.split("+") for edit in _edits(at, part, objective)]
    if settings:
        recipe = replace(recipe, settings=replace(PLAYABLE[recipe.method].presets["classroom"], **settings))
    return replace(recipe, edits=(*recipe.edits, *edits)).net()


def _edits(step: int, part: str, objective: Objective) -> list[Edit]:
    found = CHANGE.fullmatch(part)
    if not found or found["term"] not in (*objective, STUDENT):
        _refuse("a change", part)
    edits = []
    for word in found["words"][1:].split("-"):
        whole = [w for w in WORDS if w == word or (len(word) == 2 and w.startswith(word))]
        if word[0] in NUMBERS and NUMBER.fullmatch(word[1:]):
            edits.append(Edit(step, found["term"], NUMBERS[word[0]], float(word[1:])))
        elif len(whole) == 1:
            edits.append(Edit(step, found["term"], *WORDS[whole[0]]))
        else:
            _refuse("a change", part)
    try:
        for edit in edits:
            edit.check(objective)
    except ValueError as error:
        raise ShareError(f"this string asks for what there is not: {error}") from error
    return edits


def _setting(name: str, value: str) -> dict:
    if name == "student" and value in OPTIMIZERS:
        return {"student_optimizer": value}
    if name not in SETTINGS or not NUMBER.fullmatch(value):
        _refuse("a setting", f"{name}={value}")
    field, least, largest = SETTINGS[name]
    if isinstance(least, int) and "." in value:
        _refuse("a setting", f"{name}={value}")
    number = type(least)(value)
    if not least <= number <= largest:
        raise ShareError(f"this string asks for {name}={value[:20]}; it lies between {least:g} and {largest:g}")
    return {field: number}


def _items(recipe: Recipe, letters: int, digits: int) -> list[str]:
    """List what stands between seed and checksum.  letters: of a word; digits: of a weight, significant ones."""
    items = ["final"] if recipe.final else []
    items += ["teacher=own"] if recipe.own_teacher else []
    if recipe.settings is not None:
        ours = PLAYABLE[recipe.method].presets["classroom"]
        for name, (field, least, largest) in SETTINGS.items():
            value = getattr(recipe.settings, field)
            if not least <= value <= largest:
                raise ShareError(f"{field} in a string lies between {least:g} and {largest:g}; it is {value}")
            items += [f"{name}={_decimal(value)}"] if value != getattr(ours, field) else []
        if recipe.settings.student_optimizer != ours.student_optimizer:
            items.append(f"student={recipe.settings.student_optimizer}")
    words = {meaning: word[:letters] for word, meaning in WORDS.items()}
    for step, made in groupby(recipe.edits, key=lambda edit: edit.step):
        terms: dict[str, list[str]] = {}
        for edit in made:
            letter = next((letter for letter, field in NUMBERS.items() if field == edit.field), "")
            word = f"{letter}{_decimal(edit.value, digits)}" if letter else words[edit.field, edit.value]
            terms.setdefault(edit.term, []).append(word)
        group = "+".join("-".join([term, *said]) for term, said in terms.items())
        items.append(f"{group}@{step}" if step else group)
    return items


def _decimal(value: float, digits: int = 99) -> str:
    """Write a number as 0.0001, never 1e-04: the shortest that is read as the same number, or so many digits."""
    text = repr(value) if digits > 17 else f"{value:.{digits}g}"
    text = format(Decimal(text), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _row(term: Term) -> dict:
    rules = {function: rule for rule, function in ANCHORS.items()}
    return {field: rules[term.rule] if field == "rule" else getattr(term, field) for field in FIELDS}


def _setting_names() -> list[str]:
    return [*(field for field, _, _ in SETTINGS.values()), "student_optimizer"]


def _checksum(text: str, without: tuple[str, ...] = ()) -> str:
    """Sum up the text and what it leaves out: the method's own settings and terms, which a version may change."""
    unsaid, method = "", text.partition(":")[2].partition(":")[0]
    if method in PLAYABLE:
        ours = PLAYABLE[method].presets["classroom"]
        unsaid = repr([getattr(ours, name) for name in _setting_names()])
        rows = {name: _row(term) for name, term in PLAYABLE[method].terms().items() if name not in without}
        for row in rows.values():
            row.pop("strength") if row["strength"] == 1 else None  # as in strings that are older
        unsaid += repr(rows)
    return b32encode(sha256((text + unsaid).encode("utf-8", "replace")).digest())[:4].decode().lower()


def _added_since(text: str, checksum: str, method: str) -> tuple[str, ...] | None:
    """Return the terms that the method gained since the string was written; None if the checksum is wrong."""
    names = list(PLAYABLE[method].terms()) if method in PLAYABLE else []
    missing = (added for n in range(max(1, len(names))) for added in combinations(names, n))
    return next((added for added in missing if _checksum(text, added) == checksum), None)


def _quoted(text: str) -> str:
    return ascii(text[:20])


def _refuse(what: str, text: str):
    raise ShareError(f"{what} cannot be right in this string: {_quoted(text)}; ask for it again")
