"""Exercises of 07_exponential_penalty: the damped loss, the published anchor, the constant weight to compare with."""

import math

import torch

from ...objective import ANCHORS
from ..exercise import Exercise, Misconception, Wrong, value_and_gradient

X = torch.tensor([0.5, -1.0, 0.3], dtype=torch.float64)
EARLIER = torch.tensor([0.7, -0.2, 0.1], dtype=torch.float64)

# ---- 1: the damped loss ----------------------------------------------------------------------------------------------


def damped(loss, anchor):
    """exp(L - a) of a loss () and an anchor () -> (); the anchor is a number: nothing flows through it."""
    return (loss - anchor.detach()).exp()


def through_the_anchor(loss, anchor):
    return (loss - anchor).exp()


def difference_of_exponentials(loss, anchor):
    return loss.exp() - anchor.detach().exp()


def turned_round(loss, anchor):
    return (anchor.detach() - loss).exp()


def rises_only(loss, anchor):
    return (loss - anchor.detach()).clamp_min(0).exp()


def gain_times_loss(loss, anchor):
    return (loss - anchor.detach()).exp().detach() * loss


def base_two(loss, anchor):
    return 2 ** (loss - anchor.detach())


def _watch_damped(answer) -> dict:
    seen = {}
    for words, scale in (("above its anchor", 0.5), ("below its anchor", 3.0)):
        value, gradient = value_and_gradient(
            lambda x, scale=scale: answer(x.square().sum(), scale * (x * EARLIER).square().sum() + scale / 2), X
        )
        seen |= {f"the value {words}": value, f"the gradient {words}": gradient}
    return seen


# ---- 2: the published anchor -----------------------------------------------------------------------------------------


def next_anchor(i, loss, anchor):
    """The anchor after step i = 0, 1, 2 ..., given that step's loss and the anchor until now."""
    return loss if i % 120 == 1 else anchor


def every_step(i, loss, anchor):
    return loss


def at_the_first(i, loss, anchor):
    return loss if i % 120 == 0 else anchor


def at_the_end(i, loss, anchor):
    return loss if i % 120 == 119 else anchor


def only_once(i, loss, anchor):
    return loss if i == 1 else anchor


def lowest_so_far(i, loss, anchor):
    return min(loss, anchor)


def moving_average(i, loss, anchor):
    return ANCHORS["average"](i, loss, anchor)


LOOKED_AT = (0, 1, 2, 60, 119, 120, 121, 122, 241, 242)


def _watch_anchor(answer) -> dict:
    anchor, seen = 0.0, {}
    for i in range(250):
        loss = 2.0 - 0.005 * i + 0.1 * math.sin(i)
        anchor = answer(i, loss, anchor)
        if not isinstance(anchor, float | int):
            raise Wrong(f"An anchor is a number; yours after step {i} is a {type(anchor).__name__}.")
        if i in LOOKED_AT:
            seen[f"the anchor after step {i}"] = float(anchor)
    return seen


# ---- 3: the constant weight ------------------------------------------------------------------------------------------


def constant_weight(losses, anchors):
    """The mean gain of a run, losses (n,) and the anchors in force (n,) -> (): a constant weight to compare with."""
    return (losses - anchors).exp().mean()


def exp_of_the_mean(losses, anchors):
    return (losses - anchors).mean().exp()


def mean_of_the_losses(losses, anchors):
    return losses.exp().mean() / anchors.exp().mean()


def without_the_anchor(losses, anchors):
    return losses.exp().mean()


def difference_alone(losses, anchors):
    return (losses - anchors).mean()


LOSSES = torch.tensor([1.2, 0.9, 1.1, 0.4, 0.6, 0.2], dtype=torch.float64)
IN_FORCE = torch.tensor([0.0, 0.0, 0.9, 0.9, 0.9, 0.9], dtype=torch.float64)


def _watch_constant(answer) -> dict:
    return {
        "the mean gain of six steps": torch.as_tensor(answer(LOSSES, IN_FORCE)).double(),
        "that of a run that stays at its anchor": torch.as_tensor(answer(LOSSES, LOSSES)).double(),
    }


EXERCISES = (
    Exercise(
        title="the damped loss",
        hints=(
            "The gradient should be exp(L - a) times that of L. What must the anchor be for that?",
            "Whatever the anchor was computed from, here it is a number: detach it.",
            "Nearly all of it: (loss - anchor.detach()).exp().",
        ),
        answer=damped,
        watch=_watch_damped,
        right="Its gradient is that of the loss, times the gain exp(L - a); the anchor is a number.",
        misconceptions=(
            Misconception(
                through_the_anchor,
                "gradient through the anchor",
                "The values are right, the gradient is not: it flows through the anchor as well, and pulls it up to "
                "meet "
                "the loss. Were the anchor the loss itself, nothing at all would be left. Detach it.",
            ),
            Misconception(
                difference_of_exponentials,
                "the difference of two exponentials",
                "exp(L) - exp(a) has the gradient exp(L), whatever the anchor is: a number taken off changes no "
                "slope. The "
                "anchor has to stand in the exponent.",
            ),
            Misconception(
                turned_round,
                "the sign of the exponent",
                "exp(a - L) falls as the loss rises, so descending it makes the loss worse.",
            ),
            Misconception(
                rises_only,
                "nothing below the anchor",
                "Right above the anchor. Below it yours is constant and pulls no more, so the loss stops falling as "
                "soon as "
                "it is below. Damping asks for less there, not for nothing.",
            ),
            Misconception(
                gain_times_loss,
                "gain times loss",
                "The gradient is right, and would train the same generator. But the value is not exp(L - a): its "
                "gain is a "
                "detached number times the loss. Asked for is the damped loss itself.",
            ),
            Misconception(
                base_two,
                "another base",
                "Yours is a power of 2, whose gradient has a factor ln 2 more. The penalty is exp.",
            ),
        ),
    ),
    Exercise(
        title="the published anchor",
        hints=(
            "In the published code an epoch has 120 steps, and the anchor is taken once in each.",
            "Steps are counted from 0. The second step of each epoch has i % 120 == 1.",
            "The loss if i % 120 == 1, and else the anchor as it was.",
        ),
        answer=next_anchor,
        watch=_watch_anchor,
        right="0 for two steps, then once per 120 steps, at the second.",
        misconceptions=(
            Misconception(
                every_step,
                "the previous step",
                "Yours moves after every step. That is another rule, the plainest reading of 'increments', but not "
                "that of "
                "the published code.",
            ),
            Misconception(
                at_the_first,
                "one step early",
                "You take it at the first step of each epoch. The published code does so at i == 1, which is the "
                "second, "
                "since it counts from 0.",
            ),
            Misconception(
                at_the_end,
                "at the end of an epoch",
                "You take it after the last step of each epoch; for the whole first epoch your anchor is 0.",
            ),
            Misconception(
                only_once,
                "taken once and never again",
                "Right in the first epoch. It has to be taken again in every epoch: look at i % 120.",
            ),
            Misconception(
                lowest_so_far,
                "the lowest so far",
                "Starting at 0, the lowest of anchor and loss never leaves 0 while losses are positive. The rule "
                "asks for the "
                "value at one moment, not for a record.",
            ),
            Misconception(
                moving_average,
                "a moving average",
                "That is the rule `average` of this package, which is ours. The published anchor jumps once per epoch.",
            ),
        ),
    ),
    Exercise(
        title="the constant weight to compare with",
        hints=(
            "What multiplied the gradient in each step? Take the mean of that.",
            "The gain of a step is exp(L - a), with the anchor that was in force in that step.",
            "In one line: (losses - anchors).exp().mean().",
        ),
        answer=constant_weight,
        watch=_watch_constant,
        right=(
            "A term with this constant weight pulled as hard on average. What damping does beyond it is in the changes."
        ),
        misconceptions=(
            Misconception(
                exp_of_the_mean,
                "the gain of the mean for the mean gain",
                "You take the mean first and exp of it. exp is curved, so that is smaller whenever losses vary: the "
                "mean of "
                "exp is at least exp of the mean.",
            ),
            Misconception(
                mean_of_the_losses,
                "the quotient of two means",
                "Each step has its own anchor: divide, that is subtract in the exponent, step by step, and take the "
                "mean "
                "after that.",
            ),
            Misconception(
                without_the_anchor,
                "the anchor forgotten",
                "That would be the gain with the anchor at 0 throughout. A run that stays at its anchor has gain 1.",
            ),
            Misconception(
                difference_alone,
                "the exponent for the gain",
                "L - a is 0 at the anchor; the gain there is 1. Take exp.",
            ),
        ),
    ),
)
