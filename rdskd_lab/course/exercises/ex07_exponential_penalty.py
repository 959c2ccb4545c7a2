"""Exercises of 07_exponential_penalty: the damped loss, the anchor of the released code, a weight to compare with."""

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


def less_one(loss, anchor):
    return torch.expm1(loss - anchor.detach())


def base_two(loss, anchor):
    return 2 ** (loss - anchor.detach())


def _watch_damped(answer) -> dict:
    seen = {}
    for words, scale in (("above its anchor", 0.5), ("below its anchor", 3.0)):
        value, gradient = value_and_gradient(
            lambda x, scale=scale: answer(x.square().sum(), scale * (x * EARLIER).square().sum() + scale / 2), X,
            by="the loss",
        )  # fmt: skip
        seen |= {f"the value {words}": value, f"the gradient {words}": gradient}
    return seen


# ---- 2: the released anchor -----------------------------------------------------------------------------------------


def next_anchor(i, loss, anchor):
    """The anchor after step i = 0, 1, 2 ..., given that step's loss and the anchor until now."""
    return loss if i % 120 == 1 else anchor


def every_step(i, loss, anchor):
    return loss


def one_step_late(i, loss, anchor):
    return loss if i % 120 == 2 else anchor


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
            raise Wrong(f"An anchor is a number; after step {i} yours is a {type(anchor).__name__}.")
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


def last_gain(losses, anchors):
    return (losses - anchors).exp()[-1]


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
            "The gradient should be exp(L - a) times the gradient of L. What must the anchor be for that?",
            "Whatever the anchor was computed from, here it is a number: detach it.",
            "(loss - anchor.detach()).exp() is nearly all of it.",
        ),
        answer=damped,
        watch=_watch_damped,
        right="Its gradient is the gradient of the loss, times the gain exp(L - a). The anchor is a number.",
        misconceptions=(
            Misconception(through_the_anchor, "a gradient through the anchor",
                "The values are right, the gradient is not: it flows through the anchor as well, and pulls the anchor "
                "up towards the loss. If the anchor were the loss itself, nothing would be left. Detach it."),
            Misconception(difference_of_exponentials, "the difference of two exponentials",
                "exp(L) - exp(a) has the gradient exp(L), whatever the anchor is: subtracting a number changes no "
                "slope. Put the anchor into the exponent."),
            Misconception(turned_round, "the sign of the exponent",
                "exp(a - L) falls as the loss rises, so minimising it makes the loss worse. Use exp(L - a)."),
            Misconception(rises_only, "nothing below the anchor",
                "You are right above the anchor. Below it your loss is constant, so training stops lowering it there. "
                "Damping pulls less below the anchor, but it still pulls: do not clamp."),
            Misconception(gain_times_loss, "gain times loss",
                "The gradient is right and would train the same generator. But the value is not exp(L - a): you "
                "multiply the loss by its detached gain. Return exp(L - a) itself."),
            Misconception(less_one, "one less",
                "The gradient is right, but every value is 1 too small: you return exp(L - a) - 1. At the anchor the "
                "damped loss is 1."),
            Misconception(base_two, "another base",
                "You use a power of 2, which changes the gradient by a factor ln 2. The penalty is exp."),
        ),
    ),
    Exercise(
        title="the anchor of the released code",
        hints=(
            "In the released code an epoch has 120 steps, and each epoch takes the anchor once.",
            "Steps are counted from 0. The second step of each epoch has i % 120 == 1.",
            "Return the loss if i % 120 == 1, and otherwise the anchor as it was.",
        ),
        answer=next_anchor,
        watch=_watch_anchor,
        right="The anchor is 0 for two steps. Then it is taken once per 120 steps, at the second of them.",
        misconceptions=(
            Misconception(every_step, "the previous step",
                "Your anchor moves after every step. That is the rule `previous`, the plainest reading of "
                "'increments'. The released code takes an anchor only where i % 120 == 1."),
            Misconception(at_the_first, "one step early",
                "You take it at the first step of each epoch. The released code takes it at the second, i == 1, since "
                "it counts from 0."),
            Misconception(one_step_late, "one step late",
                "You take it where i % 120 == 2, which is the third step of an epoch, since i begins at 0. The second "
                "step has i % 120 == 1."),
            Misconception(at_the_end, "at the end of an epoch",
                "You take it after the last step of each epoch, so your anchor is 0 for the whole first epoch. Take it "
                "where i % 120 == 1."),
            Misconception(only_once, "taken once and never again",
                "You are right in the first epoch. Take a new anchor in every epoch: look at i % 120."),
            Misconception(lowest_so_far, "the lowest so far",
                "You keep the lower of loss and anchor. It begins at 0 and never leaves 0 while the losses are "
                "positive. Take the loss at one moment, i % 120 == 1, whatever it is."),
            Misconception(moving_average, "a moving average",
                "That is the rule `average` of this package. The anchor of the released code jumps once per epoch, "
                "where i % 120 == 1."),
        ),
    ),
    Exercise(
        title="the constant weight to compare with",
        hints=(
            "What number multiplied the gradient in each step? Take the mean of these numbers.",
            "The gain of a step is exp(L - a), with the anchor that was used in that step.",
            "In one line: (losses - anchors).exp().mean().",
        ),
        answer=constant_weight,
        watch=_watch_constant,
        right="A term with this constant weight pulls equally hard on average. Any further effect of damping comes "
              "from the changes of the gain.",
        misconceptions=(
            Misconception(exp_of_the_mean, "the gain of the mean instead of the mean gain",
                "You take the mean first and then exp. exp is curved, so this is smaller whenever the losses vary. "
                "Take exp of each step first, then the mean."),
            Misconception(mean_of_the_losses, "the quotient of two means",
                "Each step has its own anchor. Subtract it in the exponent, step by step, and take the mean after "
                "that."),
            Misconception(without_the_anchor, "no anchor",
                "You compute the gain as if the anchor were 0 all the time. Subtract the anchor of each step: a run "
                "that stays at its anchor has gain 1."),
            Misconception(last_gain, "the last gain",
                "You return the gain of the last step. Return the mean over all steps."),
            Misconception(difference_alone, "the exponent instead of the gain",
                "L - a is 0 at the anchor, but the gain there is 1. Take exp."),
        ),
    ),
)  # fmt: skip
