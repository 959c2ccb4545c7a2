"""Exercises of notebook 07: rises per step, noise floor, a harmless measurement, damped loss, constant weight."""

import torch

from ... import torch_state
from ...generator import Generator
from ..exercise import Exercise, Misconception, Wrong, value_and_gradient

LOSSES = torch.tensor([1.0, 0.8, 0.95, 0.7, 0.7, 0.9, 0.4], dtype=torch.float64)
X = torch.tensor([0.5, -1.0, 0.3], dtype=torch.float64)
EARLIER = torch.tensor([0.7, -0.2, 0.1], dtype=torch.float64)
RISING = torch.tensor([0.0, 1.0, 2.0, 4.0], dtype=torch.float64)

# ---- 1: rises per step -----------------------------------------------------------------------------------------------


def mean_rise(losses):
    """Mean positive increment per step of losses (n,) -> (): falls count as 0."""
    steps = losses[1:] - losses[:-1]  # (n - 1,)
    return steps.clamp_min(0).mean()


def falls_as_well(losses):
    return losses.diff().abs().mean()


def ends_only(losses):
    return (losses[-1] - losses[0]) / (len(losses) - 1)


def summed(losses):
    return losses.diff().clamp_min(0).sum()


def rises_alone(losses):
    steps = losses.diff()
    return steps[steps > 0].mean()


def spread(losses):
    return losses.std()


def by_values(losses):
    return losses.diff().clamp_min(0).sum() / len(losses)


def largest(losses):
    return losses.diff().clamp_min(0).max()


def turned_round(losses):
    return (losses[:-1] - losses[1:]).clamp_min(0).mean()


def _watch_rise(answer) -> dict:
    return {
        "the fluctuation of seven losses": torch.as_tensor(answer(LOSSES.clone())).double(),
        "the fluctuation of a loss that only rises": torch.as_tensor(answer(RISING.clone())).double(),
        "the fluctuation of a loss that only falls": torch.as_tensor(answer(-RISING)).nan_to_num(-1.0).double(),
    }


# ---- 2: the floor ----------------------------------------------------------------------------------------------------


def noise_floor(measure, draw, draws):
    """Fluctuation of measure(z) -> number over `draws` batches of fresh latents z = draw(); nothing learns."""
    losses = torch.tensor([float(measure(draw())) for _ in range(draws)], dtype=torch.float64)
    return losses.diff().clamp_min(0).mean()


def drawn_once(measure, draw, draws):
    z = draw()
    losses = torch.tensor([float(measure(z)) for _ in range(draws)], dtype=torch.float64)
    return losses.diff().clamp_min(0).mean()


def standard_deviation(measure, draw, draws):
    return torch.tensor([float(measure(draw())) for _ in range(draws)], dtype=torch.float64).std()


def falls_of_the_floor(measure, draw, draws):
    losses = torch.tensor([float(measure(draw())) for _ in range(draws)], dtype=torch.float64)
    return losses.diff().abs().mean()


def against_the_first(measure, draw, draws):
    losses = torch.tensor([float(measure(draw())) for _ in range(draws)], dtype=torch.float64)
    return (losses[1:] - losses[0]).clamp_min(0).mean()


def _watch_floor(answer) -> dict:
    rng, drawn = torch.Generator().manual_seed(0), []

    def draw():
        """a function that returns fresh latents (8, 3)"""
        drawn.append(torch.randn(8, 3, generator=rng, dtype=torch.float64))
        return drawn[-1]

    def measure(z):
        """z ↦ mean of z²"""
        return z.square().mean()

    value = torch.as_tensor(answer(measure, draw, 20)).double()
    return {"the number of batches drawn": float(len(drawn)), "the floor over 20 draws": value}


# ---- 3: a look -------------------------------------------------------------------------------------------------------


def look(generator, z):
    """The images of z (N, Z) as training would see them; the generator stays as it was."""
    with torch.no_grad(), torch_state.buffers_kept(generator), torch_state.train_mode(generator, training=True):
        return generator(z)


def in_eval_mode(generator, z):
    with torch.no_grad(), torch_state.train_mode(generator, training=False):
        return generator(z)


def touching(generator, z):
    with torch.no_grad():
        return generator.train()(z)


def left_in_eval_mode(generator, z):
    generator.eval()
    with torch.no_grad():
        return generator(z)


STATISTICS = "the state of the running statistics of BatchNorm after your look"
MODE = "the mode of the generator after your look"


def _watch_look(answer) -> dict:
    generator = torch_state.seeded(0, Generator, latent=5, size=8, width=4).double()
    rng = torch.Generator().manual_seed(1)
    for _ in range(3):  # running statistics that differ from a batch's
        generator(generator.latents(16, rng))
    z, buffers = generator.latents(6, rng), {name: b.clone() for name, b in generator.named_buffers()}
    images = answer(generator, z)
    if tuple(getattr(images, "shape", ())) != (6, 1, 8, 8):
        shape = tuple(getattr(images, "shape", ())) or type(images).__name__
        raise Wrong(f"Six latents should give images of shape (6, 1, 8, 8); yours is {shape}.")
    moved = [name for name, b in generator.named_buffers() if not torch.equal(b, buffers[name])]
    return {
        "the images": images.detach(),
        STATISTICS: "changed" if moved else "unchanged",
        MODE: "training mode" if generator.training else "eval mode",
    }


# ---- 4: the damped loss ----------------------------------------------------------------------------------------------


def damped(loss, anchor):
    """exp(L - a) of a loss () and an anchor () -> (); the anchor is a number: nothing flows through it."""
    return (loss - anchor.detach()).exp()


def through_the_anchor(loss, anchor):
    return (loss - anchor).exp()


def difference_of_exponentials(loss, anchor):
    return loss.exp() - anchor.detach().exp()


def exponent_turned_round(loss, anchor):
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


# ---- 5: the constant weight ------------------------------------------------------------------------------------------


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


RUN = torch.tensor([1.2, 0.9, 1.1, 0.4, 0.6, 0.2], dtype=torch.float64)
IN_FORCE = torch.tensor([0.0, 0.0, 0.9, 0.9, 0.9, 0.9], dtype=torch.float64)


def _watch_constant(answer) -> dict:
    return {
        "the mean gain of six steps": torch.as_tensor(answer(RUN.clone(), IN_FORCE.clone())).double(),
        "the mean gain of a run that stays at its anchor": torch.as_tensor(answer(RUN.clone(), RUN.clone())).double(),
    }


EXERCISES = (
    Exercise(
        title="the mean rise per step",
        hints=(
            "n losses have n - 1 steps between them. Which steps count, and what do the others count as?",
            "losses.diff() gives the steps. A fall counts as 0, but it is still a step.",
            "In one line: losses.diff().clamp_min(0).mean().",
        ),
        answer=mean_rise,
        watch=_watch_rise,
        sizes=(("the number of steps", (6, 3, 3)),),
        right="Only rises count, and the mean is taken over all steps. A loss that only falls has fluctuation 0, "
              "however fast it falls.",
        misconceptions=(
            Misconception(falls_as_well, "falls counted as well",
                "You take the size of every step. Then a loss that falls fast would fluctuate most. Count only the "
                "rises; a fall counts as 0."),
            Misconception(ends_only, "only the ends",
                "You compute (last - first) / steps, in which everything in between cancels. Take the positive part of "
                "each step before you average."),
            Misconception(summed, "the sum instead of the mean",
                "Your number grows with the length of a run. Divide by the number of steps."),
            Misconception(rises_alone, "the mean of the rises alone",
                "You divide by the number of rises. Then one rise in a hundred steps counts as much as a hundred "
                "rises, and a loss that never rises has no mean. Let falls count as 0, and divide by the number of "
                "steps."),
            Misconception(largest, "the largest rise",
                "You return the largest rise. Return the mean over all steps, with falls as 0."),
            Misconception(spread, "the standard deviation",
                "A loss that falls smoothly from 2 to 0 has a large spread but never rises. Look at the steps between "
                "neighbours: losses.diff()."),
            Misconception(by_values, "n instead of n - 1",
                "There are n - 1 steps between n values, but you divide by n."),
            Misconception(turned_round, "falls instead of rises",
                "You subtract the later loss from the earlier one, so you measure how far the loss falls. Swap the "
                "two."),
        ),
    ),
    Exercise(
        title="the floor of sampling noise",
        hints=(
            "If nothing learns, why would a loss rise from one measurement to the next?",
            "Draw new latents for every measurement. Then treat this series of losses like that of a run.",
            "losses = torch.tensor([float(measure(draw())) for _ in range(draws)]), then the mean rise as in exercise "
            "1.",
        ),
        answer=noise_floor,
        watch=_watch_floor,
        right="This much fluctuation remains when nothing learns. Compare the fluctuation of a run with it.",
        misconceptions=(
            Misconception(drawn_once, "drawn once",
                "You draw one batch and measure it again and again, so nothing changes and the floor is 0. Draw new "
                "latents for every measurement."),
            Misconception(standard_deviation, "the standard deviation",
                "You return the spread of the losses. Measure the floor as you measure the fluctuation: by the mean "
                "rise per step. For such noise, that is 0.56 times the standard deviation."),
            Misconception(falls_of_the_floor, "falls counted as well",
                "You take the size of every step. Count only the rises; a fall counts as 0, as in exercise 1."),
            Misconception(against_the_first, "all compared with the first",
                "You compare each value with the first one. A rise is measured from one step to the next: "
                "losses.diff()."),
        ),
    ),
    Exercise(
        title="a measurement that changes nothing",
        hints=(
            "The generator has BatchNorm. What does a forward pass in training mode leave behind?",
            "Eval mode leaves nothing behind, but its images are not those that training sees, because BatchNorm then "
            "uses its running statistics. So use training mode, and restore the buffers afterwards.",
            "with torch.no_grad(), torch_state.buffers_kept(generator), torch_state.train_mode(generator, "
            "training=True): return generator(z).",
        ),
        answer=look,
        watch=_watch_look,
        right="You get the images that training sees, and the generator is exactly as it was.",
        misconceptions=(
            Misconception(left_in_eval_mode, "left in eval mode",
                "After your measurement the generator stays in eval mode, so the next training step would use the "
                "running statistics. Also, the images in eval mode are not those that training sees. Use training "
                "mode.",
                recognise=lambda seen: seen.get(MODE) == "eval mode"),
            Misconception(in_eval_mode, "eval mode",
                "In eval mode BatchNorm uses its running statistics, so these are not the images that training sees. "
                "Use training mode, and restore the running statistics afterwards."),
            Misconception(touching, "the running statistics changed",
                "The images are right, but BatchNorm's running statistics have changed, and with them the generator. "
                "torch_state.buffers_kept(generator) restores them. (state_dict() makes no copy: clone its tensors.)"),
        ),
    ),
    Exercise(
        title="the damped loss",
        hints=(
            "The gradient should be exp(L - a) times the gradient of L. What must the anchor be for this to hold?",
            "Whatever the anchor was computed from, here it is a number: detach it.",
            "(loss - anchor.detach()).exp() is nearly the whole answer.",
        ),
        answer=damped,
        watch=_watch_damped,
        right="Its gradient is the gradient of the loss times the gain exp(L - a). The anchor is just a number.",
        misconceptions=(
            Misconception(through_the_anchor, "a gradient through the anchor",
                "The values are right, but the gradient is not: it flows through the anchor as well, and pulls the "
                "anchor up towards the loss. If the anchor were the loss itself, no gradient would be left. Detach the "
                "anchor."),
            Misconception(difference_of_exponentials, "the difference of two exponentials",
                "exp(L) - exp(a) has the gradient exp(L), whatever the anchor is: subtracting a number does not change "
                "the slope. Put the anchor into the exponent."),
            Misconception(exponent_turned_round, "the sign of the exponent",
                "exp(a - L) falls as the loss rises, so minimising it makes the loss worse. Use exp(L - a)."),
            Misconception(rises_only, "nothing below the anchor",
                "Above the anchor, your values are right. Below it, your damped loss is constant, so the loss stops "
                "falling as soon as it gets there. Damping pulls less below the anchor, but it still pulls: do not "
                "clamp."),
            Misconception(gain_times_loss, "gain times loss",
                "The gradient is right and would train the same generator. But the value is not exp(L - a): you "
                "multiply the loss by its detached gain. Return exp(L - a) itself."),
            Misconception(less_one, "1 too small",
                "The gradient is right, but every value is 1 too small: you return exp(L - a) - 1. At the anchor the "
                "damped loss is 1."),
            Misconception(base_two, "another base",
                "You use a power of 2, which changes the gradient by a factor of ln 2. The penalty is exp."),
        ),
    ),
    Exercise(
        title="the constant weight for a fair comparison",
        hints=(
            "By what was the gradient multiplied in each step? Take the mean of that.",
            "The gain of a step is exp(L - a), with the anchor that applies in that step.",
            "In one line: (losses - anchors).exp().mean().",
        ),
        answer=constant_weight,
        watch=_watch_constant,
        right="A term with this constant weight pulls just as hard on average. Any further effect of damping comes "
              "from the changes in the gain.",
        misconceptions=(
            Misconception(exp_of_the_mean, "the gain of the mean instead of the mean gain",
                "You take the mean first and then exp. exp is curved, so your result is too small whenever the losses "
                "vary. Take exp of each step first, then the mean."),
            Misconception(mean_of_the_losses, "the quotient of two means",
                "Each step has its own anchor. Subtract it in the exponent, step by step, and take the mean only after "
                "that."),
            Misconception(without_the_anchor, "no anchor",
                "You compute the gain as if the anchor were always 0. Subtract the anchor of each step: a run that "
                "stays at its anchor has gain 1."),
            Misconception(last_gain, "the last gain",
                "You return the gain of the last step. Return the mean over all steps."),
            Misconception(difference_alone, "the exponent instead of the gain",
                "L - a is 0 at the anchor, but the gain there is 1. Take exp."),
        ),
    ),
)  # fmt: skip
