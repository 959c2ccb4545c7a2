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


def too_little():
    return [("ie", "on", True), ("ie", "weight", 0.05)]


def damp_less():
    return [("oh", "damped", False)]


def play(plan) -> tuple[dict, float]:
    """Return the table after the edits, and the mean effective number of classes in the last ten of 100 steps.

    Adam, 8 channels, batches of 32, seed 0; ie and ds are off until the edits are made, before step 40.
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
        raise Wrong('Return a list of edits, each (term, field, value), for example [("ds", "on", True)].')
    for name, field, value in plan:
        if name not in table or field not in ("on", "weight", "damped"):
            raise Wrong(f"{(name, field)} does not exist: the terms are oh, ie, ds; the fields are on, weight, damped.")
        if isinstance(value, str) or float(value) < 0:
            raise Wrong(f"{field} cannot be {value!r}: give True, False, or a number of at least 0.")
    table, classes = play(plan)
    seen = {f"{name}.{field}": float(getattr(table[name], field)) for name in table for field in ("on", "weight")}
    return seen | {"touched oh": float(any(edit[0] == "oh" for edit in plan)), "classes": classes}


def judge(seen):
    if seen["touched oh"]:
        return "Leave the row oh as it is."
    if seen["classes"] < WANTED:
        return f"After step {END}, there are {seen['classes']:.1f} effective classes; you need {WANTED:.0f}."
    return ""


EXERCISES = (
    Exercise(
        title="bring the classes back",
        hints=(
            "Each row of the table is one loss. Which one looks at the batch as a whole, not at single images or "
            "pairs?",
            "It is ie, which is lowest when all classes occur equally often. Is it on? How large is its weight?",
            'return [("ie", "on", True), ("ie", "weight", ...)] with a weight above 1.',
        ),
        answer=cure,
        watch=watch,
        judge=judge,
        right="Authenticity stayed as it was. What was missing was the only term that looks at the batch as a whole.",
        misconceptions=(
            Misconception(sharper_only, "inter-sample diversity instead of class diversity",
                "You switched ds on. It rewards images that differ more than the teacher's answers do, and the easiest "
                "way to achieve that is to make the answers alike, which leaves even fewer classes. Switch ie on: it "
                "counts classes.",
                lambda seen: seen.get("ds.on") == 1 and seen.get("ie.on") == 0),
            Misconception(weigh_what_is_off, "a weight on a term that is off",
                "You gave ie a weight, but the row is off, so the weight does nothing. Switch the row on as well.",
                lambda seen: seen.get("ie.on") == 0 and seen.get("ie.weight", 1) != 1),
            Misconception(silence_authenticity, "authenticity given up",
                "The classes come back, but the teacher is no longer sure of the images. Leave oh as it is.",
                lambda seen: seen.get("oh.on") == 0),
            Misconception(damp_less, "damping instead of diversity",
                "You changed how oh is damped. That changes how hard oh pulls, but there is still no loss that "
                "prevents the collapse. Leave oh as it is and switch ie on.",
                lambda seen: seen.get("touched oh") == 1 and seen.get("oh.on") == 1),
            Misconception(too_little, "a weight that is too small",
                "You switched ie on, which is the right term, but its weight is too small to bring the classes back in "
                "60 steps. Make it larger.",
                lambda seen: seen.get("ie.on") == 1 and seen.get("ie.weight", 1) < 1 and not seen.get("touched oh")
                and seen["classes"] < WANTED),
        ),
    ),
)  # fmt: skip
