"""Exercises of notebook 08: the generator's loss, when anchors are taken, and RDSKD as a table of terms."""

import torch

import rdskd_lab as lab

from ...batch import Batch
from ..exercise import Exercise, Misconception, Wrong, differing, value_and_gradient

RNG = torch.Generator().manual_seed(8)
LOGITS = 2 * torch.randn(6, 10, generator=RNG, dtype=torch.float64)
IMAGES = torch.randn(6, 1, 4, 4, generator=RNG, dtype=torch.float64)
ANCHORS = (0.4, -1.9)

# ---- 1: the loss -----------------------------------------------------------------------------------------------------


def generator_loss(logits, images, anchor_oh, anchor_ie):
    """L_G of logits (N, K) and images (N, C, S, S), with two anchors in nats -> ()."""
    oh = lab.one_hot(logits)
    ie = lab.information_entropy(logits)
    ds = lab.diversity_seeking(images, logits.softmax(1))
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + ds  # ds is small by nature, and not damped


def _three(logits, images):
    return lab.one_hot(logits), lab.information_entropy(logits), lab.diversity_seeking(images, logits.softmax(1))


def all_in_one_exponential(logits, images, anchor_oh, anchor_ie):
    oh, ie, ds = _three(logits, images)
    return (oh - anchor_oh + ie - anchor_ie).exp() + ds


def no_exponential(logits, images, anchor_oh, anchor_ie):
    oh, ie, ds = _three(logits, images)
    return (oh - anchor_oh) + (ie - anchor_ie) + ds


def anchor_outside(logits, images, anchor_oh, anchor_ie):
    oh, ie, ds = _three(logits, images)
    return oh.exp() - anchor_oh + ie.exp() - anchor_ie + ds


def anchors_swapped(logits, images, anchor_oh, anchor_ie):
    return generator_loss(logits, images, anchor_ie, anchor_oh)


def diversity_damped(logits, images, anchor_oh, anchor_ie):
    oh, ie, ds = _three(logits, images)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + ds.exp()


def logits_for_answers(logits, images, anchor_oh, anchor_ie):
    oh, ie, _ = _three(logits, images)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + lab.diversity_seeking(images, logits)


def watch_loss(answer):
    value, gradient = value_and_gradient(lambda t, x: answer(t, x, *ANCHORS), LOGITS, IMAGES)
    first, _ = value_and_gradient(lambda t, x: answer(t, x, 0.0, 0.0), LOGITS, IMAGES)
    return {"the loss with both anchors at 0": first, "the loss with anchors 0.4 and -1.9": value,
            "its gradient at the logits": gradient}  # fmt: skip


def _pulls_as_the_plain_sum(seen):
    """Recognises the plain sum, with anchors subtracted or without."""
    key = "its gradient at the logits"
    return key in seen and not differing({key: seen[key]}, {key: watch_loss(no_exponential)[key]})


# ---- 2: when anchors are taken ---------------------------------------------------------------------------------------


def next_anchor(i, raw, anchor, every=120):
    """The anchor after step i (0, 1, 2, ...) in which the loss was `raw`; published: at the second step of an epoch."""
    return raw if i % every == 1 else anchor


def at_the_first(i, raw, anchor, every=120):
    return raw if i % every == 0 else anchor


def at_the_last(i, raw, anchor, every=120):
    return raw if i % every == every - 1 else anchor


def at_every_step(i, raw, anchor, every=120):
    return raw


def only_once(i, raw, anchor, every=120):
    return raw if i == 1 else anchor


def only_downwards(i, raw, anchor, every=120):
    return min(raw, anchor) if i % every == 1 else anchor


def watch_anchor(answer):
    seen = {}
    for name, every in (("every 120 steps", 120), ("every 5 steps", 5)):
        anchor, course = 0.0, []
        for i in range(260):
            raw = 2.0 + ((7 * i) % 11) / 10 - i / 500  # up and down, and slowly down
            anchor = float(answer(i, raw, anchor, every))
            course.append(anchor)
        seen[f"the anchor after each of 260 steps, with an anchor {name}"] = torch.tensor(course, dtype=torch.float64)
    return seen


# ---- 3: as a table of terms ------------------------------------------------------------------------------------------


def my_rdskd():
    """RDSKD as a table: lab.Objective(oh=lab.Term(...), ie=..., ds=...); a term's measure gets a batch b."""
    return lab.Objective(
        oh=lab.Term(lambda b: lab.one_hot(b.logits), damped=True),
        ie=lab.Term(lambda b: lab.information_entropy(b.logits), damped=True),
        ds=lab.Term(lambda b: lab.diversity_seeking(b.images, b.probs)),
    )


def nothing_damped():
    table = my_rdskd()
    table["oh"].damped = table["ie"].damped = False
    return table


def everything_damped():
    table = my_rdskd()
    table["ds"].damped = True
    return table


def exponential_in_the_measure():
    table = nothing_damped()
    table["oh"].measure = lambda b: lab.one_hot(b.logits).exp()
    table["ie"].measure = lambda b: lab.information_entropy(b.logits).exp()
    return table


def only_oh_damped():
    table = my_rdskd()
    table["ie"].damped = False
    return table


def softmax_twice():
    table = my_rdskd()
    table["oh"].measure = lambda b: lab.one_hot(b.probs)
    table["ie"].measure = lambda b: lab.information_entropy(b.probs)
    return table


def entropy_upside_down():
    table = my_rdskd()
    table["ie"].measure = lambda b: -lab.information_entropy(b.logits)
    return table


def watch_table(answer):
    table = answer()
    if not isinstance(table, lab.Objective):
        raise Wrong(f"Return a lab.Objective; yours is a {type(table).__name__}.")
    if set(table) != {"oh", "ie", "ds"}:
        raise Wrong(f"The table should have the rows oh, ie and ds; yours has {', '.join(table) or 'none'}.")
    seen = {}
    for moment in ("at first", "after the second step"):
        tally = table(Batch(IMAGES, logits=LOGITS.clone().requires_grad_()))
        raw, gain = (dict(zip(table, numbers.tolist(), strict=True)) for numbers in (tally.raw, tally.gain))
        for name in ("oh", "ie", "ds"):
            seen[f"the value of {name} {moment}"] = raw[name]
            seen[f"the gain of {name} {moment}"] = gain[name]
        seen[f"the total {moment}"] = tally.total.detach()
        table.re_anchor(1, raw)
    return seen


EXERCISES = (
    Exercise(
        title="the loss of the generator",
        hints=(
            "Three losses, of which two are damped. Which ones, and what does the anchor do to a loss before the "
            "exponential sees it?",
            "lab.one_hot, lab.information_entropy and lab.diversity_seeking give the three; the last wants the images "
            "and the probabilities, logits.softmax(1).",
            "return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + ds, with oh, ie and ds from the package.",
        ),
        answer=generator_loss,
        watch=watch_loss,
        right="Two damped terms, one plain, no weights: this is all that the generator of RDSKD is asked for.",
        misconceptions=(
            Misconception(all_in_one_exponential, "one exponential for both",
                "You put both losses into one exponential, which is a product of the two damped terms. Then a rise of "
                "one can be paid with a fall of the other. Each has its own exponential and its own anchor."),
            Misconception(no_exponential, "exponential forgotten",
                "This is the plain sum: an anchor that is only subtracted shifts the value and changes no gradient. "
                "The exponential is what makes a rise cost more.",
                _pulls_as_the_plain_sum),
            Misconception(anchor_outside, "anchor outside the exponential",
                "You subtract the anchor after the exponential. There it is a constant and does nothing to the "
                "gradient. It belongs inside: exp(L - a)."),
            Misconception(anchors_swapped, "anchors swapped",
                "Each loss is counted from the other's anchor. An anchor is an earlier value of the same loss: "
                "anchor_oh goes with oh, anchor_ie with ie."),
            Misconception(diversity_damped, "diversity damped too",
                "In the published code only oh and ie are damped; ds is added as it is."),
            Misconception(logits_for_answers, "logits for probabilities in ds",
                "The diversity loss compares the teacher's probabilities, not its logits: give it logits.softmax(1)."),
        ),
    ),
    Exercise(
        title="when an anchor is taken",
        hints=(
            "Steps are counted from 0. Which number has the second step of an epoch, and of the next?",
            "With 120 steps in an epoch these are steps 1, 121, 241: those for which the remainder of i by 120 is 1.",
            "return raw if i % every == 1, and otherwise the anchor as it was.",
        ),
        answer=next_anchor,
        watch=watch_anchor,
        right="Between two anchors the gain exp(L - a) says how far the loss has come since the epoch began.",
        misconceptions=(
            Misconception(at_the_first, "first step for the second",
                "You take it at steps 0, 120, 240: the first of each epoch. Counting from 0, the second is step 1."),
            Misconception(at_the_last, "last step for the second",
                "You take it when an epoch ends. The published code takes it at its second step, so the gain is near 1 "
                "when an epoch begins."),
            Misconception(at_every_step, "at every step",
                "You move the anchor after every step, which damps what rose since the step before. That is the "
                "package's rule 'previous'; the published code keeps an anchor for a whole epoch."),
            Misconception(only_once, "only once",
                "Your anchor is taken at step 1 and never again. Each epoch takes a new one: look at the remainder "
                "i % every."),
            Misconception(only_downwards, "only downwards",
                "You keep the lower of the two. The published anchor also goes up: it is the loss at that step, "
                "whatever it is."),
        ),
    ),
    Exercise(
        title="RDSKD as a table",
        hints=(
            "A table has one row per loss. What does a row have to know: how the loss is measured, and what else?",
            "lab.Term(measure, damped=True); the measure is a function of a batch b, which has b.images, b.logits and "
            "b.probs.",
            "oh=lab.Term(lambda b: lab.one_hot(b.logits), damped=True) is the first of three rows of lab.Objective.",
        ),
        answer=my_rdskd,
        watch=watch_table,
        right="The loop that descends on this table knows nothing of RDSKD: another method is another table.",
        misconceptions=(
            Misconception(nothing_damped, "nothing damped",
                "Your table is the plain sum of the three losses. oh and ie need damped=True."),
            Misconception(exponential_in_the_measure, "the exponential in the measure",
                "Your measure takes the exponential itself. A term measures the loss, in nats; damped=True is what "
                "takes the exponential of it, less its anchor."),
            Misconception(everything_damped, "everything damped",
                "You damped ds as well. Only oh and ie are damped in the published code."),
            Misconception(only_oh_damped, "ie not damped",
                "Both oh and ie are damped: they are the two that fight each other."),
            Misconception(softmax_twice, "softmax taken twice",
                "one_hot and information_entropy want logits and take the softmax themselves. Given b.probs they take "
                "it a second time, of numbers between 0 and 1, and everything looks unsure."),
            Misconception(entropy_upside_down, "entropy with the wrong sign",
                "Lower is better for every term. information_entropy is minus the entropy already, so a further minus "
                "asks for one class only."),
        ),
    ),
)  # fmt: skip
