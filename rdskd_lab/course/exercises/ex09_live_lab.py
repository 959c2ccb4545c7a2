"""The exercise of notebook 09: a run that has lost its classes, and the edit that brings them back."""

import torch

from ...generator import Generator
from ...methods.rdskd import rdskd
from ...networks import weights
from ...networks.architectures import LeNet5
from ...torch_state import seeded
from ...training import reanchoring, synthesise
from ..exercise import Exercise, Misconception, Wrong

LOST, END = 40, 100  # steps
WANTED = 7.0  # effective classes


def cure():
    """What to change at step 40: a list of (term, field, value); field is "on", "weight" or "damped"."""
    return [("ie", "on", True), ("ie", "weight", 3.0)]  # only ie looks at the batch as a whole


def sharper_only():
    return [("ds", "on", True), ("ds", "weight", 100.0)]


def weigh_what_is_off():
    return [("ie", "weight", 10.0)]


def silence_authenticity():
    return [("oh", "on", False), ("ie", "on", True)]


def damp_less():
    return [("oh", "damped", False)]


def play(plan) -> tuple[dict, float]:
    """The table after the edits, and the effective number of classes, mean of the last ten of 100 steps.

    Adam, 8 channels, batches of 32, seed 0; ie and ds are off until the edits come, before step 40.
    """
    teacher, table = weights.load_weights(seeded(0, LeNet5), weights.SHIPPED["lenet5"]), rdskd()
    table["ie"].on = table["ds"].on = False
    generator = seeded(0, Generator, width=8)
    optimizer = torch.optim.Adam(generator.parameters(), lr=8e-3)
    rng, classes = torch.Generator().manual_seed(0), []
    steps = synthesise(teacher, generator, table, optimizer, batch_size=32, rng=rng)
    for step in reanchoring(steps, table):
        classes.append(torch.special.entr(step.batch.probs.mean(0)).sum().exp().item())
        if step.i + 1 == LOST:
            for name, field, value in plan:
                setattr(table[name], field, value)
        if step.i + 1 == END or not table.asks:
            return table, sum(classes[-10:]) / 10


def watch(answer):
    plan, table = answer(), rdskd()
    edits = plan if isinstance(plan, list | tuple) else [None]
    if not all(isinstance(edit, list | tuple) and len(edit) == 3 for edit in edits):
        raise Wrong('Return a list of edits, each (term, field, value): [("ds", "on", True)] is one.')
    for name, field, value in plan:
        if name not in table or field not in ("on", "weight", "damped"):
            raise Wrong(f"There is no {field!r} of {name!r}; terms are oh, ie, ds, and fields on, weight, damped.")
        if isinstance(value, str) or float(value) < 0:
            raise Wrong(f"{value!r} cannot be a value of {field!r}: give True, False or a number from 0.")
    table, classes = play(plan)
    seen = {f"{name}.{field}": float(getattr(table[name], field)) for name in table for field in ("on", "weight")}
    return seen | {"touched oh": float(any(edit[0] == "oh" for edit in plan)), "classes": classes}


def judge(seen):
    if seen["touched oh"]:
        return "The row oh has to stay as it is."
    if seen["classes"] < WANTED:
        return f"After step {END} there are {seen['classes']:.1f} effective classes; {WANTED:.0f} are wanted."
    return ""


EXERCISES = (
    Exercise(
        title="bring the classes back",
        hints=(
            "Each row of the table asks for something. Which one of them looks at the batch as a whole, and not at "
            "single images or pairs?",
            "That is ie: it is lowest when all classes occur equally often. Is it on? How hard does it pull?",
            'return [("ie", "on", True), ("ie", "weight", ...)] with a weight above 1.',
        ),
        answer=cure,
        watch=watch,
        judge=judge,
        right="Authenticity stayed as it was; what was missing was the only term that sees the batch as a whole.",
        misconceptions=(
            Misconception(sharper_only, "inter-sample diversity for class diversity",
                "ds wants images to differ more than the teacher's answers do. The cheapest way to that is to make the "
                "answers alike, so on its own it even narrows the classes. The term that counts classes is ie.",
                lambda seen: seen.get("ds.on") == 1 and seen.get("ie.on") == 0),
            Misconception(weigh_what_is_off, "a weight on a term that is off",
                "You gave ie a weight, but the row is off: a weight multiplies nothing then. Switch it on as well.",
                lambda seen: seen.get("ie.on") == 0 and seen.get("ie.weight", 1) != 1),
            Misconception(silence_authenticity, "authenticity given up",
                "The classes come back, but the teacher is no longer asked to be sure of them. The exercise is to keep "
                "oh as it is.",
                lambda seen: seen.get("oh.on") == 0),
            Misconception(damp_less, "damping for the collapse",
                "You changed how oh is damped. That changes how hard one term pulls, not what is asked for; nobody "
                "asks for many classes yet.",
                lambda seen: seen.get("touched oh") == 1 and seen.get("oh.on") == 1),
        ),
    ),
)  # fmt: skip
