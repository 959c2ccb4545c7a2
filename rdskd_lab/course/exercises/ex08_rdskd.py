"""Exercises of notebook 08: the generator's loss, when anchors are taken, and RDSKD as a table of terms."""

import torch

import rdskd_lab as lab

from ...batch import Batch
from ..exercise import Exercise, Family, Misconception, Wrong, value_and_gradient
from ..relations import differing

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


def diversity_subtracted(logits, images, anchor_oh, anchor_ie):
    oh, ie, ds = _three(logits, images)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() - ds


def anchors_added(logits, images, anchor_oh, anchor_ie):
    return generator_loss(logits, images, -anchor_oh, -anchor_ie)


def diversity_weighted(weight):
    def answer(logits, images, anchor_oh, anchor_ie):
        oh, ie, ds = _three(logits, images)
        return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + weight * ds

    return answer


def diversity_damped(logits, images, anchor_oh, anchor_ie):
    oh, ie, ds = _three(logits, images)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + ds.exp()


def logits_for_answers(logits, images, anchor_oh, anchor_ie):
    oh, ie, _ = _three(logits, images)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + lab.diversity_seeking(images, logits)


def watch_loss(answer):
    value, gradient = value_and_gradient(lambda t, x: answer(t, x, *ANCHORS), LOGITS, IMAGES, by="the logits")
    first, _ = value_and_gradient(lambda t, x: answer(t, x, 0.0, 0.0), LOGITS, IMAGES, by="the logits")
    return {"the loss with both anchors at 0": first, "the loss with anchors 0.4 and -1.9": value,
            "its gradient with respect to the logits": gradient}  # fmt: skip


def _pulls_as_the_plain_sum(seen):
    """Recognise the plain sum, with or without the anchors subtracted."""
    key = "its gradient with respect to the logits"
    return key in seen and not differing({key: seen[key]}, {key: watch_loss(no_exponential)[key]})


# ---- 2: when anchors are taken ---------------------------------------------------------------------------------------


def next_anchor(i, raw, anchor, every=120):
    """The anchor after step i (0, 1, 2, ...) with loss `raw`; the released code takes it at an epoch's second step."""
    return raw if i % every == 1 else anchor


def at_the_first(i, raw, anchor, every=120):
    return raw if i % every == 0 else anchor


def at_the_last(i, raw, anchor, every=120):
    return raw if i % every == every - 1 else anchor


def at_every_step(i, raw, anchor, every=120):
    return raw


def only_once(i, raw, anchor, every=120):
    return raw if i == 1 else anchor


def always_120(i, raw, anchor, every=120):
    return raw if i % 120 == 1 else anchor


def one_step_late(i, raw, anchor, every=120):
    return raw if i % every == 2 else anchor


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
        seen[f"the anchor after each of 260 steps, with a new one {name},"] = torch.tensor(course, dtype=torch.float64)
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


def diversity_of_the_logits():
    table = my_rdskd()
    table["ds"].measure = lambda b: lab.diversity_seeking(b.images, b.logits)
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
        raise Wrong(f"Give the table the rows oh, ie and ds; yours has {', '.join(table) or 'none'}.")
    seen = {}
    for moment in ("at first", "after the second step"):
        tally = table(Batch(IMAGES, logits=LOGITS.clone().requires_grad_()))
        raw, gain = (dict(zip(table, numbers.tolist(), strict=True)) for numbers in (tally.raw, tally.gain))
        for name in ("oh", "ie", "ds"):
            seen[f"the value of {name} {moment}"] = raw[name]
            seen[f"the gain of {name} {moment}"] = gain[name]
        seen[f"the total {moment}"] = 0.0 if tally.total is None else tally.total.detach()
        table.re_anchor(1, raw)
        table.re_anchor(2, dict.fromkeys(raw, 0.5))  # which moves no anchor of the released code
    return seen


EXERCISES = (
    Exercise(
        title="the loss of the generator",
        hints=(
            "There are three losses, and two of them are damped. Which two? What happens to a loss and its anchor "
            "before the exponential?",
            "lab.one_hot, lab.information_entropy and lab.diversity_seeking compute the three. The last one needs the "
            "images and the probabilities, logits.softmax(1).",
            "return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + ds, with oh, ie and ds from the package.",
        ),
        answer=generator_loss,
        watch=watch_loss,
        right="Two damped terms, one plain term, no weights: RDSKD's generator minimises this and nothing else.",
        misconceptions=(
            Misconception(all_in_one_exponential, "one exponential for both",
                "You put both losses into one exponential. Then a fall in one makes up for a rise in the other. Give "
                "each loss its own exponential and its own anchor."),
            Misconception(no_exponential, "no exponential",
                "This is the plain sum. Subtracting an anchor shifts the value but does not change the gradient. Take "
                "the exponential of each damped loss minus its anchor: it makes a rise cost more.",
                _pulls_as_the_plain_sum),
            Misconception(anchor_outside, "the anchor outside the exponential",
                "You subtract the anchor after the exponential. There it is a constant and does not change the "
                "gradient. Put it inside: exp(L - a)."),
            Misconception(anchors_swapped, "the anchors swapped",
                "From each loss you subtract the anchor of the other. An anchor is an earlier value of the same loss: "
                "anchor_oh belongs to oh, anchor_ie to ie."),
            Misconception(anchors_added, "the anchors added",
                "You add the anchors. Subtract them: exp(L - a) is 1 where a loss is at its anchor."),
            Misconception(diversity_damped, "ds damped too",
                "You damp ds as well. The released code damps only oh and ie; add ds as it is."),
            Misconception(diversity_subtracted, "ds subtracted",
                "You subtract ds. It is a loss already: it falls when the images differ more than the answers. Add "
                "it."),
            Misconception(logits_for_answers, "logits instead of probabilities in ds",
                "The diversity loss compares the teacher's probabilities, not its logits: pass logits.softmax(1)."),
        ),
        families=(
            Family(diversity_weighted, "a weight on ds",
                "You multiply ds by {number}. In the released code all weights are 1: add ds as it is.", 1e-4, 1e4),
        ),
    ),
    Exercise(
        title="when the anchor is set",
        hints=(
            "Steps are counted from 0. What is the number of the second step of the first epoch, and of the next one?",
            "With 120 steps in an epoch, these are steps 1, 121, 241: the remainder of i divided by 120 is 1.",
            "return raw if i % every == 1, and otherwise the anchor as it was.",
        ),
        answer=next_anchor,
        watch=watch_anchor,
        right="Between two anchors, the gain exp(L - a) shows how far the loss has moved since the epoch began.",
        misconceptions=(
            Misconception(at_the_first, "the first step instead of the second",
                "You take it at steps 0, 120, 240, the first step of each epoch. Counting from 0, the second step is "
                "1: i % every == 1."),
            Misconception(one_step_late, "the third step instead of the second",
                "You take it at steps 2, 122, 242, the third step of each epoch. Counting from 0, the second step is "
                "1: i % every == 1."),
            Misconception(at_the_last, "the last step instead of the second",
                "You take it at the last step of an epoch. The released code takes it at the second step, i % every == "
                "1, so the gain is near 1 when an epoch begins."),
            Misconception(at_every_step, "at every step",
                "You move the anchor after every step. That is the package's rule `previous`. The released code keeps "
                "an anchor for a whole epoch: look at i % every."),
            Misconception(only_once, "only once",
                "You take the anchor at step 1 and never again. Each epoch takes a new one: look at i % every."),
            Misconception(always_120, "120 whatever `every` says",
                "Your answer is right only for epochs of 120 steps. Use the argument `every` instead of 120."),
            Misconception(only_downwards, "only downwards",
                "You keep the lower of the old and the new value. In the released code the anchor may also rise: it is "
                "the loss at that step, whatever its value."),
        ),
    ),
    Exercise(
        title="RDSKD as a table",
        hints=(
            "A table has one row per loss. What must a row know: how to measure the loss, and what else?",
            "A row is lab.Term(measure, damped=True). The measure is a function of a batch b, which has b.images, "
            "b.logits and b.probs.",
            "oh=lab.Term(lambda b: lab.one_hot(b.logits), damped=True) is the first of three rows of lab.Objective.",
        ),
        answer=my_rdskd,
        watch=watch_table,
        right="The loop that minimises this table knows nothing about RDSKD: another method is another table.",
        misconceptions=(
            Misconception(nothing_damped, "nothing damped",
                "Your table is the plain sum of the three losses. Give oh and ie damped=True."),
            Misconception(exponential_in_the_measure, "the exponential in the measure",
                "Your measure takes the exponential itself. Let the term measure the loss, in nats; damped=True takes "
                "the exponential of the loss minus its anchor."),
            Misconception(everything_damped, "everything damped",
                "You damp ds as well. The released code damps only oh and ie."),
            Misconception(only_oh_damped, "ie not damped",
                "You damp only oh. Damp ie as well: these two pull against each other."),
            Misconception(softmax_twice, "the softmax twice",
                "one_hot and information_entropy expect logits and take the softmax themselves. You pass b.probs, so "
                "it is applied twice, and the teacher looks unsure of everything. Pass b.logits."),
            Misconception(diversity_of_the_logits, "logits instead of probabilities in ds",
                "The diversity loss compares the teacher's probabilities, not its logits: pass b.probs."),
            Misconception(entropy_upside_down, "the entropy with the wrong sign",
                "Lower is better for every term. information_entropy is already minus the entropy, so with another "
                "minus sign the generator would make a single class. Remove that sign."),
        ),
    ),
)  # fmt: skip
