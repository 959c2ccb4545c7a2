"""Exercises of notebook 05: the entropy of the mean answer, a batch for both losses, a weight that cures."""

import math
import warnings
from dataclasses import replace

import torch
from torch import Tensor

from ... import losses as L
from ...distillation import Distillation
from ...methods.rdskd import PRESETS, rdskd
from ...networks.architectures import LeNet5, LeNet5Half
from ...networks.foreign import NetworkWarning
from ...networks.weights import SHIPPED, load_weights
from ...torch_state import seeded
from ..exercise import Exercise, Family, Misconception, Wrong, value_and_gradient

LOGITS = torch.tensor(
    [[2.0, 0.5, -1.0], [0.1, 1.3, 0.2], [1.5, -0.7, 0.4], [3.0, 0.0, 1.0]], dtype=torch.float64
)  # (4, 3): the teacher leans towards the first class
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


def share_of_the_largest(logits):
    return class_diversity(logits) / math.log(logits.shape[1])


def small_number_in_the_logarithm(epsilon):
    def answer(logits):
        mean = logits.softmax(1).mean(0)
        return (mean * (mean + epsilon).log()).sum()

    return answer


def _watch_loss(answer) -> dict:
    value, gradient = value_and_gradient(answer, LOGITS, by="the logits")
    never, its = value_and_gradient(answer, NEVER, by="the logits")
    return {
        "the loss of four images": value,
        "the gradient of the loss": gradient,
        "the loss where one class never occurs": never,
        "the gradient where one class never occurs": its,
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
        raise Wrong(f"Return a tensor of logits of shape (6, 3): six images, three classes; yours is {shape}.")
    logits = logits.detach().double()
    return {
        "L_OH": L.one_hot(logits),
        "L_IE": L.information_entropy(logits),
        "rows are probabilities": float((logits >= 0).all() and torch.allclose(logits.sum(1), torch.ones(6).double())),
    }


def _judge_batch(seen: dict) -> str:
    oh, ie = float(seen["L_OH"]), float(seen["L_IE"])
    if ie > -math.log(3) + 0.01:
        return (
            f"L_IE should be within 0.01 of -ln 3 = -1.0986; yours is {ie:.4f}: some classes occur more often than "
            "others. Give each class two of the six images."
        )
    if not oh < 0.01:
        return (
            f"L_OH should be below 0.01; yours is {oh:.4f}: the teacher is not sure enough of each image. Let one "
            "logit in each row lead by more."
        )
    return ""


# ---- 3: a weight -----------------------------------------------------------------------------------------------------


def weights_that_cure():
    """The weight of each of the two losses; that of oh stays 1."""
    return {"oh": 1.0, "ie": 2.0}


def a_tenth():
    return {"oh": 1.0, "ie": 0.1}


def negative():
    return {"oh": 1.0, "ie": -2.0}


def switched_off():
    return {"oh": 1.0, "ie": 0.0}


def without_authenticity():
    return {"oh": 0.0, "ie": 1.0}


STEPS, FROM = 60, 40  # of a short run, and where its last third begins


def _watch_weights(answer) -> dict:
    given = answer()
    if not isinstance(given, dict) or set(given) != {"oh", "ie"}:
        raise Wrong('Return a dictionary with the keys "oh" and "ie", such as {"oh": 1.0, "ie": 1.0}.')
    asked = {name: float(weight) for name, weight in given.items()}
    objective = rdskd()
    for name, term in objective.items():
        term.damped, term.on, term.weight = False, bool(asked.get(name)), asked.get(name, 0.0)
    settings = replace(PRESETS["classroom"], generator_steps=STEPS, width=8, pooled=False)
    teacher = load_weights(LeNet5(), SHIPPED["lenet5"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NetworkWarning)  # about a negative weight: the verdict says more
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
        return "Leave the weight of oh at 1."
    if seen["effective classes"] < 8:
        return (
            f"In the last 20 steps, the batches hold {seen['effective classes']:.1f} effective classes; you need 8. "
            "Give ie more weight."
        )
    if seen["L_OH"] > 0.35:
        return f"L_OH is {seen['L_OH']:.2f} nats in the last 20 steps; it may be 0.35 at most. Give ie less weight."
    return ""


EXERCISES = (
    Exercise(
        title="the class-diversity loss from scratch",
        hints=(
            "Which comes first: the mean over the images, or the entropy? The loss looks at the batch as a whole.",
            "The softmax over the classes gives p (N, K). Its mean over the images gives one row of K probabilities. "
            "Take the logarithm after that.",
            "mean = logits.softmax(1).mean(0), then (mean * mean.log()).sum(). For classes that never occur, keep the "
            "mean above 0 inside the logarithm with clamp_min(torch.finfo(mean.dtype).tiny).",
        ),
        answer=class_diversity,
        watch=_watch_loss,
        right="It is minus the entropy of the mean answer, in nats, and it stays finite where a class never occurs.",
        misconceptions=(
            Misconception(base_ten, "log10 instead of ln",
                "Your values are 0.4343 = 1 / ln 10 times the right ones: you use log10. The natural logarithm gives "
                "nats. (DAFL's code uses log10 too, so its weight of 5 is 2.17 in nats.)"),
            Misconception(over_the_batch_axis, "softmax over the batch axis",
                "Your probabilities sum to 1 down the batch, not across the classes. Logits have shape (N, K), so the "
                "K probabilities of an image lie along axis 1."),
            Misconception(mean_of_the_entropies, "the mean of the entropies instead of the entropy of the mean",
                "You take the entropy of each image, then the mean. A low value then means that every single image is "
                "a bit of every class. Take the mean first: the batch should hold all classes."),
            Misconception(mean_of_the_logits, "the mean of the logits instead of the mean of the probabilities",
                "You average the logits and take one softmax. Then an image with large logits outweighs the others. "
                "Take the softmax of each image first, then the mean."),
            Misconception(share_of_the_largest, "divided by ln K",
                "You divide by ln K, which turns the entropy into a share of its largest value. Leave it in nats: from "
                "-ln K to 0."),
            Misconception(not_minimised, "the entropy itself, not minus the entropy",
                "The sign is reversed. A loss is minimised and diversity should grow, so the loss is minus the "
                "entropy. Yours would push the generator towards a single class."),
            Misconception(summed_over_the_batch, "a sum over the batch instead of the mean",
                "Your K numbers sum to N, not to 1. So they are not probabilities, and your result is not an entropy. "
                "Take the mean over the images."),
            Misconception(unguarded, "0 times ln 0",
                "Your loss is right if all classes occur. If a class never occurs, its mean is 0, ln 0 is minus "
                "infinity, and 0 times that is NaN. Keep the mean above 0 inside the logarithm: "
                "mean.clamp_min(torch.finfo(mean.dtype).tiny)."),
            Misconception(unguarded_gradient, "NaN in the gradient only",
                "The value is right everywhere, since xlogy(0, 0) is 0. But where a class never occurs, the gradient "
                "contains ln 0 and becomes NaN on its way back through the softmax. Clamp inside the logarithm, and "
                "both stay finite."),
        ),
        families=(
            Family(small_number_in_the_logarithm, "a small number inside the logarithm changes the value",
                "You add about {number} inside the logarithm, which changes ordinary values. Clamp instead: "
                "mean.clamp_min(torch.finfo(mean.dtype).tiny).", 1e-7, 10),
        ),
    ),
    Exercise(
        title="a batch that is good for both losses",
        hints=(
            "L_IE is lowest when the mean answer is 1/3 for each class. L_OH is lowest when each answer is nearly 1.",
            "Six images, three classes: how many images of each? And what must a row look like if the teacher is sure?",
            "Use rows such as [20, 0, 0], two for each class. torch.eye(3).repeat(2, 1) gives the pattern; multiply it "
            "so that one logit in each row leads by far.",
        ),
        answer=liked_by_both,
        watch=_watch_batch,
        judge=_judge_batch,
        right="All classes in the batch, one class in each image: you need both losses to get this.",
        misconceptions=(
            Misconception(undecided, "undecided images",
                "L_IE is at its best, but the teacher's answer to each of your images is 1/3, 1/3, 1/3. L_IE sees only "
                "the mean. L_OH is ln 3 here; it is low only if each image belongs to one class. Let one logit in each "
                "row lead.",
                recognise=lambda seen: "L_OH" in seen and seen["L_OH"] > 0.9 and seen["L_IE"] < -1.09),
            Misconception(one_class, "a collapsed batch",
                "L_OH is low: the teacher is sure of each image. But all six images belong to one class, so L_IE is 0, "
                "its worst value. Vary the class from row to row. L_OH alone leads to such a batch.",
                recognise=lambda seen: "L_OH" in seen and seen["L_OH"] < 0.1 and seen["L_IE"] > -0.1),
            Misconception(probabilities, "probabilities instead of logits",
                "Your rows are already probabilities, and the softmax is applied to them again: 1, 0, 0 becomes 0.58, "
                "0.21, 0.21. A logit can be any number: let one in each row lead by far.",
                recognise=lambda seen: seen.get("rows are probabilities") == 1 and seen["L_OH"] > 0.01),
        ),
    ),
    Exercise(
        title="cure a collapse and keep authenticity",
        hints=(
            "Look at the figure of weights above. Which weight is enough for 8 classes, and what does it cost?",
            "The loss is already minus the entropy, so its weight has to be positive.",
            'A weight of 1 or more is enough: {"oh": 1.0, "ie": 2.0}.',
        ),
        answer=weights_that_cure,
        watch=_watch_weights,
        judge=_judge_weights,
        right="There are at least 8 effective classes, and the teacher is still sure of most images.",
        misconceptions=(
            Misconception(a_tenth, "a weight that is too small",
                "Class diversity pulls, but authenticity pulls harder, so the images belong to too few classes. Give "
                "ie more weight.",
                recognise=lambda seen: (
                    seen.get("weight of oh") == 1 and 0 < seen["weight of ie"] < 1 and seen["effective classes"] < 8)),
            Misconception(switched_off, "class diversity switched off",
                "A weight of 0 switches class diversity off. Then nothing stops the collapse. Give ie a positive "
                "weight.",
                recognise=lambda seen: seen.get("weight of oh") == 1 and seen["weight of ie"] == 0),
            Misconception(negative, "a negative weight",
                "The loss is already minus the entropy. A negative weight lowers the entropy, so it leaves fewer "
                "classes. Make it positive.",
                recognise=lambda seen: seen.get("weight of ie", 0) < 0),
            Misconception(without_authenticity, "authenticity given up",
                "You changed the weight of oh. Without authenticity, it is easy to get all classes, but the teacher is "
                "not sure of the images. Leave oh at 1: the task is to have both.",
                recognise=lambda seen: seen.get("weight of oh", 1) != 1),
        ),
    ),
)  # fmt: skip
