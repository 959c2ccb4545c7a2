"""The exercise of notebook 10: DeepInversion's term, matching BatchNorm statistics."""

import torch

from ..exercise import Exercise, Misconception, value_and_gradient

RNG = torch.Generator().manual_seed(10)
FIRST, SECOND = (torch.randn(4, width, generator=RNG, dtype=torch.float64) for width in (3, 5))
LAYERS = [tuple(row.exp() if i % 2 else row for i, row in enumerate(layer)) for layer in (FIRST, SECOND)]


def bn_statistics(layers):
    """R_f of layers of (mean, var, running_mean, running_var), each (C,) -> ()."""
    total = 0
    for mean, var, running_mean, running_var in layers:
        total = total + (var - running_var).norm() + (mean - running_mean).norm()  # over the channels, not squared
    return total


def squared(layers):
    return sum((v - rv).square().sum() + (m - rm).square().sum() for m, v, rm, rv in layers)


def means_only(layers):
    return sum((m - rm).norm() for m, v, rm, rv in layers)


def variances_only(layers):
    return sum((v - rv).norm() for m, v, rm, rv in layers)


def deviations(layers):
    return sum((v.sqrt() - rv.sqrt()).norm() + (m - rm).norm() for m, v, rm, rv in layers)


def mean_over_layers(layers):
    return bn_statistics(layers) / len(layers)


def mean_over_channels(layers):
    return sum((v - rv).abs().mean() + (m - rm).abs().mean() for m, v, rm, rv in layers)


def order_mistaken(layers):
    return sum((v - m).norm() + (rv - rm).norm() for m, v, rm, rv in layers)


def watch(answer):
    def loss(mean):  # the gradient is asked for at the first layer's batch mean
        return answer([(mean, *LAYERS[0][1:]), LAYERS[1]])

    one, _ = value_and_gradient(lambda mean: answer([(mean, *LAYERS[0][1:])]), LAYERS[0][0])
    both, gradient = value_and_gradient(loss, LAYERS[0][0])
    return {"R_f of one layer": one, "R_f of two layers": both, "its gradient at the first layer's mean": gradient}


EXERCISES = (
    Exercise(
        title="matching statistics",
        hints=(
            "Two distances for each layer: of the variances, and of the means. Then a sum over the layers.",
            "A distance here is the 2-norm of a difference of vectors (C,): .norm() gives it, and nothing is squared "
            "or averaged after that.",
            "Unpack each layer as mean, var, running_mean, running_var and add (var - running_var).norm() and the same "
            "for the means.",
        ),
        answer=bn_statistics,
        watch=watch,
        right="It is field.bn_statistics. Because norms are not squared, its gradient keeps its length however near "
              "the statistics come.",
        misconceptions=(
            Misconception(squared, "squared norms",
                "Your distances are squared. Then a layer that is far off outweighs all others, and the pull fades as "
                "the statistics come near. The published code takes the plain norms."),
            Misconception(means_only, "means only",
                "The means are there, the variances are missing: they say how strongly features vary over the images."),
            Misconception(variances_only, "variances only",
                "The variances are there, the means are missing; so no gradient pulls at the mean."),
            Misconception(deviations, "standard deviations for variances",
                "You compare standard deviations. The published code, and the formula, compare variances."),
            Misconception(mean_over_layers, "mean over the layers",
                "You average over the layers. The formula sums: its weight in the total was chosen for the sum."),
            Misconception(mean_over_channels, "mean over the channels",
                "You take the mean absolute difference of the channels. Asked for is the 2-norm: squares, sum, root."),
            Misconception(order_mistaken, "order mistaken",
                "You compare variances with means. Each layer comes as (mean, var, running_mean, running_var)."),
        ),
    ),
)  # fmt: skip
