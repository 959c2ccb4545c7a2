"""Exercises of 06_fluctuations: rises per step, the floor of sampling noise, a look that changes nothing."""

import torch

from ... import torch_state
from ...generator import Generator
from ..exercise import Exercise, Misconception, Wrong

LOSSES = torch.tensor([1.0, 0.8, 0.95, 0.7, 0.7, 0.9, 0.4], dtype=torch.float64)
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


def turned_round(losses):
    return (losses[:-1] - losses[1:]).clamp_min(0).mean()


def _watch_rise(answer) -> dict:
    return {
        "the fluctuation of seven losses": torch.as_tensor(answer(LOSSES)).double(),
        "that of a loss that only rises": torch.as_tensor(answer(RISING)).double(),
        "that of a loss that only falls": torch.as_tensor(answer(-RISING)).nan_to_num(-1.0).double(),
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


def against_the_first(measure, draw, draws):
    losses = torch.tensor([float(measure(draw())) for _ in range(draws)], dtype=torch.float64)
    return (losses[1:] - losses[0]).clamp_min(0).mean()


def _watch_floor(answer) -> dict:
    rng, drawn = torch.Generator().manual_seed(0), []

    def draw():
        drawn.append(torch.randn(8, 3, generator=rng, dtype=torch.float64))
        return drawn[-1]

    value = torch.as_tensor(answer(lambda z: z.square().mean(), draw, 20)).double()
    return {"how many batches were drawn": float(len(drawn)), "the floor over 20 draws": value}


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


def _watch_look(answer) -> dict:
    generator = torch_state.seeded(0, Generator, latent=5, size=8, width=4).double()
    rng = torch.Generator().manual_seed(1)
    for _ in range(3):  # running statistics that differ from a batch's
        generator(generator.latents(16, rng))
    z, buffers = generator.latents(6, rng), {name: b.clone() for name, b in generator.named_buffers()}
    images = answer(generator, z)
    if tuple(getattr(images, "shape", ())) != (6, 1, 8, 8):
        raise Wrong(f"Images of shape (6, 1, 8, 8) were expected for six latents; yours is {type(images).__name__}.")
    moved = [name for name, b in generator.named_buffers() if not torch.equal(b, buffers[name])]
    return {
        "the images": images.detach(),
        "whether the running statistics moved": "yes" if moved else "no",
        "whether the generator is still in training mode": "yes" if generator.training else "no",
    }


EXERCISES = (
    Exercise(
        title="the mean rise per step",
        hints=(
            "From n losses there are n - 1 steps. Which of them count, and what do the others count?",
            "losses.diff() gives the steps; a fall counts as 0 but is still a step.",
            "In one line: losses.diff().clamp_min(0).mean().",
        ),
        answer=mean_rise,
        watch=_watch_rise,
        right="Rises only, per step: 0 for a loss that only falls, whatever its size.",
        misconceptions=(
            Misconception(
                falls_as_well,
                "falls counted as well",
                "You take the size of every step. A loss that falls fast would fluctuate the most; here only rises "
                "count.",
            ),
            Misconception(
                ends_only,
                "only the ends",
                "What lies between cancels: yours is (last - first) / steps. Ups and downs are what is to be measured.",
            ),
            Misconception(
                summed,
                "the sum for the mean",
                "A longer run would fluctuate more. Divide by the number of steps.",
            ),
            Misconception(
                rises_alone,
                "the mean of the rises alone",
                "You divide by the number of rises. One rise in a hundred steps would count as much as a hundred, "
                "and a "
                "loss that never rises has no mean. Falls count as 0, and count.",
            ),
            Misconception(
                spread,
                "the standard deviation",
                "A loss that falls smoothly from 2 to 0 has a large spread and never fluctuates. Look at steps.",
            ),
            Misconception(
                by_values,
                "n for n - 1",
                "Between n values lie n - 1 steps; you divide by n.",
            ),
            Misconception(
                turned_round,
                "falls for rises",
                "Your difference is before minus after, so you count how much the loss falls.",
            ),
        ),
    ),
    Exercise(
        title="the floor of sampling noise",
        hints=(
            "If nothing learns, why would a loss rise from one measurement to the next?",
            "Draw anew for every measurement; then treat the row of losses as that of a run.",
            "losses = torch.tensor([float(measure(draw())) for _ in range(draws)]), then the mean rise as in "
            "exercise 1.",
        ),
        answer=noise_floor,
        watch=_watch_floor,
        right="What is left when nothing learns: a fluctuation of a run has to be compared with this.",
        misconceptions=(
            Misconception(
                drawn_once,
                "drawn once",
                "You draw one batch and measure it again and again, so nothing changes and the floor is 0. That is the "
                "fixed probe; the floor needs fresh latents every time.",
            ),
            Misconception(
                standard_deviation,
                "the standard deviation",
                "You give the spread of the losses. The floor has to be in the same measure as the fluctuation: mean "
                "rise "
                "per step, which for such noise is 0.56 of the standard deviation.",
            ),
            Misconception(
                against_the_first,
                "all against the first",
                "You compare each value with the first one. A rise is from one step to the next.",
            ),
        ),
    ),
    Exercise(
        title="a look that changes nothing",
        hints=(
            "The generator has BatchNorm: what does a forward pass in training mode leave behind?",
            "In eval mode nothing is left behind, but the images are not those that training sees: BatchNorm "
            "then uses its "
            "running statistics. So: training mode, and put the buffers back.",
            "with torch.no_grad(), torch_state.buffers_kept(generator), torch_state.train_mode(generator, training=True): "  # noqa: E501
            "return generator(z).",
        ),
        answer=look,
        watch=_watch_look,
        right="The same images as in training, and a generator that does not know it was looked at.",
        misconceptions=(
            Misconception(
                left_in_eval_mode,
                "left in eval mode",
                "After your look the generator stays in eval mode, and the next training step would work with running "
                "statistics. Besides, the images in eval mode are not those that training sees.",
                recognise=lambda seen: seen.get("whether the generator is still in training mode") == "no",
            ),
            Misconception(
                in_eval_mode,
                "eval mode",
                "In eval mode BatchNorm uses its running statistics, so these are other images than training sees, and "
                "their losses are not those that are descended.",
            ),
            Misconception(
                touching,
                "a look that leaves traces",
                "The images are right, but BatchNorm's running statistics have moved: the look has changed the "
                "generator. "
                "modes.buffers_kept(generator) puts them back.",
            ),
        ),
    ),
)
