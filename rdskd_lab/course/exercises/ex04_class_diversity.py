"""Exercises of 04_class_diversity: the entropy of the mean answer, a batch for both losses, a weight that cures."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ... import losses as L
from ...distillation import Distillation
from ...methods.rdskd import PRESETS, rdskd
from ...networks.architectures import LeNet5, LeNet5Half
from ...networks.weights import SHIPPED, load_weights
from ...torch_state import seeded
from ..exercise import Exercise, Misconception, Wrong, value_and_gradient

LOGITS = torch.tensor(
    [[2.0, 0.5, -1.0], [0.1, 1.3, 0.2], [1.5, -0.7, 0.4], [3.0, 0.0, 1.0]], dtype=torch.float64
)  # (4, 3): the teacher leans to the first class
NEVER = torch.tensor([[0.0, 1.0, -900.0], [1.0, 0.5, -900.0]], dtype=torch.float64)  # the third class never occurs

# ---- 1: the loss -----------------------------------------------------------------------------------------------------


def class_diversity(logits):
    """L_IE of logits (N, K) -> () in nats, from -ln K to 0."""
    mean = logits.softmax(1).mean(0)  # (K,): softmax over the classes, then the mean over the images
    safe = mean.clamp_min(torch.finfo(mean.dtype).tiny)  # 0 * ln 0 would be NaN where a class never occurs
    return (mean * safe.log()).sum()


def base_ten(logits):
    mean = logits.softmax(1).mean(0)
    return (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log10()).sum()


def over_the_batch_axis(logits):
    mean = logits.softmax(0).mean(0)
    return (mean * mean.log()).sum()


def mean_of_the_entropies(logits):
    p = logits.softmax(1)
    return (p * p.clamp_min(torch.finfo(p.dtype).tiny).log()).sum(1).mean()


def mean_of_the_logits(logits):
    mean = logits.mean(0).softmax(0)
    return (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()


def not_minimised(logits):
    return -class_diversity(logits)


def summed_over_the_batch(logits):
    total = logits.softmax(1).sum(0)
    return (total * total.clamp_min(torch.finfo(total.dtype).tiny).log()).sum()


def unguarded(logits):
    mean = logits.softmax(1).mean(0)
    return (mean * mean.log()).sum()


def unguarded_gradient(logits):
    mean = logits.softmax(1).mean(0)
    return torch.xlogy(mean, mean).sum()


def _watch_loss(answer) -> dict:
    value, gradient = value_and_gradient(answer, LOGITS)
    never, its = value_and_gradient(answer, NEVER)
    return {
        "the loss of four images": value,
        "its gradient": gradient,
        "the loss where one class never occurs": never,
        "the gradient there": its,
    }


# ---- 2: a batch ------------------------------------------------------------------------------------------------------


def liked_by_both():
    """Logits (6, 3) with L_IE near -ln 3 and L_OH near 0."""
    return 20 * torch.eye(3).repeat(2, 1)  # two images of each class, the teacher sure of all six


def undecided():
    return torch.zeros(6, 3)


def one_class():
    return torch.tensor([20.0, 0.0, 0.0]).repeat(6, 1)


def probabilities():
    return torch.eye(3).repeat(2, 1)


def _watch_batch(answer) -> dict:
    logits = answer()
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (6, 3):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise Wrong(f"The batch has to be a tensor of logits (6, 3): six images, three classes; yours is {shape}.")
    logits = logits.detach().double()
    return {
        "L_OH": L.one_hot(logits),
        "L_IE": L.information_entropy(logits),
        "rows are probabilities": float((logits >= 0).all() and torch.allclose(logits.sum(1), torch.ones(6).double())),
    }


def _judge_batch(seen: dict) -> str:
    oh, ie = float(seen["L_OH"]), float(seen["L_IE"])
    if ie > -math.log(3) + 0.01:
        return f"L_IE should be within 0.01 of -ln 3 = -1.0986; yours is {ie:.4f}: some classes come more often."
    if not oh < 0.01:
        return f"L_OH should be below 0.01; yours is {oh:.4f}: the teacher is not sure of each image."
    return ""


# ---- 3: a weight -----------------------------------------------------------------------------------------------------


def weights_that_cure():
    """What each of the two losses is multiplied by; that of oh stays 1."""
    return {"oh": 1.0, "ie": 2.0}


def a_tenth():
    return {"oh": 1.0, "ie": 0.1}


def negative():
    return {"oh": 1.0, "ie": -2.0}


def without_authenticity():
    return {"oh": 0.0, "ie": 1.0}


STEPS, FROM = 60, 40  # of a short run, and where its last third begins


def _watch_weights(answer) -> dict:
    given = answer()
    if not isinstance(given, dict) or set(given) != {"oh", "ie"}:
        raise Wrong('The answer has to be a dictionary with the keys "oh" and "ie", as in {"oh": 1.0, "ie": 1.0}.')
    asked = {name: float(weight) for name, weight in given.items()}
    objective = rdskd()
    for name, term in objective.items():
        term.damped, term.on, term.weight = False, bool(asked.get(name)), asked.get(name, 0.0)
    settings = replace(PRESETS["classroom"], generator_steps=STEPS, width=8, pooled=False)
    teacher = load_weights(LeNet5(), SHIPPED["lenet5"])
    run = Distillation(teacher, seeded(0, LeNet5Half), objective, settings)
    rows = [step.raw for step in run.synthesise()][FROM:]
    classes = math.exp(-sum(row["ie"] for row in rows) / len(rows))
    return {
        "weight of oh": asked["oh"],
        "weight of ie": asked["ie"],
        "effective classes": classes,
        "L_OH": sum(row["oh"] for row in rows) / len(rows),
    }


def _judge_weights(seen: dict) -> str:
    if seen["weight of oh"] != 1:
        return "The weight of oh has to stay 1."
    if seen["effective classes"] < 8:
        return (
            f"In the last 20 steps the images are of {seen['effective classes']:.1f} effective classes; 8 are wanted."
        )
    if seen["L_OH"] > 0.35:
        return f"L_OH is {seen['L_OH']:.2f} nats in the last 20 steps; at most 0.35 is wanted."
    return ""


EXERCISES = (
    Exercise(
        title="the class-diversity loss from scratch",
        hints=(
            "Which comes first: the mean over the images, or the entropy? The loss looks at the batch as a whole.",
            "Softmax along the classes gives p (N, K); its mean over the images gives one row of K probabilities. "
            "Only then comes the logarithm.",
            "mean = logits.softmax(1).mean(0), then (mean * mean.log()).sum(); and hold mean above 0 inside the "
            "logarithm, with clamp_min(torch.finfo(mean.dtype).tiny), for classes that never occur.",
        ),
        answer=class_diversity,
        watch=_watch_loss,
        right="It is minus the entropy of the mean answer, in nats, and stays finite where a class never occurs.",
        misconceptions=(
            Misconception(
                base_ten,
                "log10 for ln",
                "Your values are 0.4343 times what they should be, which is 1 / ln 10: log10 counts in decimal "
                "digits, the natural logarithm in nats. DAFL's code does this, so its weight of 5 is 2.17 in nats.",
            ),
            Misconception(
                over_the_batch_axis,
                "softmax over the batch axis",
                "Your probabilities add up to 1 down the batch, not across the classes. Logits are (N, K), and an "
                "image's K probabilities lie along axis 1.",
            ),
            Misconception(
                mean_of_the_entropies,
                "the mean of the entropies for the entropy of the mean",
                "You take each image's entropy and then the mean. That asks every single image to be of all classes at "
                "once. Mean first, entropy second: the batch shall hold all classes.",
            ),
            Misconception(
                mean_of_the_logits,
                "the mean of the logits for the mean of the answers",
                "You average the logits and take one softmax. A mean of logits is no share of the images: one image of "
                "which the teacher is very sure outweighs the others. Softmax for each image first, then the mean.",
            ),
            Misconception(
                not_minimised,
                "entropy itself, not minus it",
                "The sign is turned round: losses go down, and diversity shall go up, so the loss is minus the "
                "entropy. With yours the generator would look for one single class.",
            ),
            Misconception(
                summed_over_the_batch,
                "sum over the batch for the mean",
                "Your K numbers add up to N, not to 1, so they are no probabilities and the sum is no entropy. "
                "Divide by N: take the mean over the images.",
            ),
            Misconception(
                unguarded,
                "0 times ln 0",
                "Right where all classes occur. Where one never does, its mean is 0, ln 0 is minus infinity, and "
                "0 times that is NaN. Hold the mean above 0 inside the logarithm: "
                "mean.clamp_min(torch.finfo(mean.dtype).tiny).",
            ),
            Misconception(
                unguarded_gradient,
                "a NaN in the gradient only",
                "The value is right everywhere, since xlogy(0, 0) is 0. Its gradient is ln 0 + 1 there, and that turns "
                "into NaN on its way back through the softmax. Clamping inside the logarithm keeps both finite.",
            ),
        ),
    ),
    Exercise(
        title="a batch that both losses like",
        hints=(
            "L_IE is lowest when the mean answer is 1/3 for each class. L_OH is lowest when each answer is nearly 1.",
            "Six images, three classes: how many of each? And what must a row look like for the teacher to be sure?",
            "Rows such as [20, 0, 0]: twice each class. torch.eye(3).repeat(2, 1) gives the pattern; logits have to be "
            "far apart, so multiply.",
        ),
        answer=liked_by_both,
        watch=_watch_batch,
        judge=_judge_batch,
        right="All classes over the batch, one class in each image: only both losses together ask for that.",
        misconceptions=(
            Misconception(
                undecided,
                "undecided images",
                "L_IE is content, but each of your images is answered with 1/3, 1/3, 1/3. That mean is even as well. "
                "L_IE sees the mean alone; L_OH, which is ln 3 here, is what asks each image to be of one class.",
                recognise=lambda seen: "L_OH" in seen and seen["L_OH"] > 0.9 and seen["L_IE"] < -1.09,
            ),
            Misconception(
                one_class,
                "a collapsed batch",
                "L_OH is content: the teacher is sure of each image. But it sees the same class in all six, so the "
                "mean answer is one class and L_IE is 0, its worst. This is what one-hot alone leads to.",
                recognise=lambda seen: "L_OH" in seen and seen["L_OH"] < 0.1 and seen["L_IE"] > -0.1,
            ),
            Misconception(
                probabilities,
                "probabilities for logits",
                "Your rows are probabilities already, and softmax is applied to them once more: 1, 0, 0 becomes 0.58, "
                "0.21, 0.21. Logits may be any numbers; to be sure, one has to be far above the others.",
                recognise=lambda seen: seen.get("rows are probabilities") == 1 and seen["L_OH"] > 0.01,
            ),
        ),
    ),
    Exercise(
        title="cure a collapse without touching authenticity",
        hints=(
            "Look at the figure of weights above: which is enough for 8 classes, and what does it cost?",
            "The weight multiplies a loss that is already minus the entropy, so it has to be positive.",
            'From about 1 upwards it does: {"oh": 1.0, "ie": 2.0}.',
        ),
        answer=weights_that_cure,
        watch=_watch_weights,
        judge=_judge_weights,
        right="At least 8 effective classes, and the teacher is still sure of most images.",
        misconceptions=(
            Misconception(
                a_tenth,
                "too weak to hold it",
                "Class diversity pulls, but authenticity pulls harder, and the images are of too few classes. "
                "Ask for more.",
                recognise=lambda seen: (
                    seen.get("weight of oh") == 1 and 0 <= seen["weight of ie"] < 1 and seen["effective classes"] < 8
                ),
            ),
            Misconception(
                negative,
                "a negative weight",
                "The loss is minus the entropy already. A negative weight asks for less entropy: for fewer classes.",
                recognise=lambda seen: seen.get("weight of ie", 0) < 0,
            ),
            Misconception(
                without_authenticity,
                "authenticity taken away",
                "You changed the weight of oh. Without authenticity all classes are easy to get, with images of which "
                "the teacher is not sure. The task is to have both.",
                recognise=lambda seen: seen.get("weight of oh", 1) != 1,
            ),
        ),
    ),
)
