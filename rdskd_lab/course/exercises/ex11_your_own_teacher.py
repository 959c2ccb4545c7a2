"""The exercise of notebook 11: a network that can be a teacher."""

import torch
from torch import nn

from ..exercise import Exercise, Misconception, Wrong


def make():
    """A network (N, 1, 28, 28) -> logits (N, 10), without BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5),  # 28 - 4 = 24
        nn.ReLU(),
        nn.MaxPool2d(2),  # 12
        nn.Conv2d(8, 16, 5),  # 12 - 4 = 8
        nn.ReLU(),
        nn.MaxPool2d(2),  # 4
        nn.Flatten(),  # axis 0, the batch, stays
        nn.Linear(16 * 4 * 4, 10),  # logits: nothing comes after
    )


def softmax_at_the_end():
    return nn.Sequential(*make(), nn.Softmax(1))


def sigmoid_at_the_end():
    return nn.Sequential(*make(), nn.Sigmoid())


def softmax_over_the_batch():
    return nn.Sequential(*make(), nn.Softmax(0))


def class_for_network():
    return nn.Identity


class Label(nn.Module):
    def forward(self, logits):
        return logits.argmax(1)


def label_for_logits():
    return nn.Sequential(*make(), Label())


def for_32_pixels():
    return nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 10),
    )  # fmt: skip


def with_batch_norm():
    first, *rest = make()
    return nn.Sequential(first, nn.BatchNorm2d(8), *rest)


class Closed(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = make()

    @torch.no_grad()
    def forward(self, images):
        return self.inside(images)


def no_gradient():
    return Closed()


def four_classes():
    return nn.Sequential(*list(make())[:-1], nn.Linear(16 * 4 * 4, 4))


def watch(answer):
    net = answer()
    if isinstance(net, type):
        return {"a class, not a network": 1.0}
    if not isinstance(net, nn.Module):
        raise Wrong(f"Return a network, an nn.Module; yours is a {type(net).__name__}.")
    norms = sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())
    net = net.double().eval()
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    try:
        logits = net(images.requires_grad_())
    except RuntimeError:
        try:
            net(torch.zeros(8, 1, 32, 32, dtype=torch.float64))
        except RuntimeError:
            net(images)  # neither size: report the network's own error
        return {"takes 32 x 32 only": 1.0}
    if not isinstance(logits, torch.Tensor):
        raise Wrong(f"Your forward should return one tensor of logits; yours returns a {type(logits).__name__}.")
    seen = {"shape": torch.tensor(logits.shape).double(), "whole numbers": float(not logits.is_floating_point())}
    if seen["whole numbers"] or logits.shape != (8, 10):
        return seen
    gradient = torch.autograd.grad(logits.square().sum(), images)[0] if logits.requires_grad else torch.zeros(1)
    alone = torch.cat([net(image[None]) for image in images])
    loud = torch.func.functional_call(net, {name: 1e4 * p for name, p in net.named_parameters()}, 1e4 * images)
    return seen | {
        "BatchNorm layers": float(norms),
        "largest gradient at a pixel": float(gradient.abs().max()),
        "largest answer to very bright images": float(loud.detach().nan_to_num(9e9).abs().max()),
        "sums of the rows": logits.detach().sum(1),
        "sums of the columns": logits.detach().sum(0),
        "how far the answers of images shown alone differ": float((alone - logits).abs().max().detach()),
    }


def judge(seen):
    if "shape" not in seen:
        return "make() should return a network that takes images of 28 x 28."
    shape = tuple(int(n) for n in seen["shape"])
    if shape != (8, 10) or seen["whole numbers"]:
        return f"Eight images should give logits of shape (8, 10); yours have shape {shape}."
    if seen["BatchNorm layers"]:
        return "Your network has a BatchNorm; leave it out here."
    if seen["largest gradient at a pixel"] == 0:
        return "No gradient reaches the images, so no generator could learn from this teacher."
    if _all_one(seen["sums of the rows"]):
        return "Each answer sums to 1: these are probabilities, not logits."
    if seen["largest answer to very bright images"] <= 1:
        return (
            "Your answers never leave the range from -1 to 1, whatever the image. Logits have no bounds: end with the "
            "linear layer."
        )
    if seen["how far the answers of images shown alone differ"] > 1e-8:
        return (
            "The answer to an image changes when you show it alone. The images in a batch must not affect each other."
        )
    return ""


def _all_one(sums):
    return bool(((torch.as_tensor(sums) - 1).abs() < 1e-8).all())


EXERCISES = (
    Exercise(
        title="a network that can be a teacher",
        hints=(
            "Write down the sizes as you go. A 5 x 5 convolution without padding shortens each side by 4 pixels, and "
            "pooling halves it. How many of the 28 pixels remain before the last layer?",
            "Use nn.Sequential with convolution, ReLU and pooling, twice; then nn.Flatten() and one nn.Linear with 10 "
            "outputs. What should come after the linear layer?",
            "The sizes are 28, 24, 12, 8, 4. With 16 channels at the end, add nn.Flatten() and nn.Linear(16 * 4 * 4, "
            "10), and then nothing.",
        ),
        answer=make,
        watch=watch,
        judge=judge,
        right="It returns logits, its gradient reaches the images, and no image changes the answer to another image. A "
              "teacher needs no more.",
        misconceptions=(
            Misconception(softmax_at_the_end, "a softmax at the end",
                "Each of your answers sums to 1: these are probabilities. The package reads them as logits, and the "
                "softmax of these is nearly flat: with ten classes, no probability exceeds 0.2320. End with the linear "
                "layer.",
                lambda seen: _all_one(seen.get("sums of the rows", 0))),
            Misconception(softmax_over_the_batch, "a softmax over the batch",
                "Your answers sum to 1 over the images of a batch, so one image changes the answer to another image. "
                "Use no softmax at all: end with the linear layer.",
                lambda seen: _all_one(seen.get("sums of the columns", 0))),
            Misconception(sigmoid_at_the_end, "a sigmoid or tanh at the end",
                "Your answers never exceed 1, however bright the image. The package reads them as logits, so no class "
                "can lead by much. End with the linear layer.",
                lambda seen: seen.get("largest answer to very bright images", 2) <= 1),
            Misconception(class_for_network, "the class instead of a network",
                "You return a class. make() should return a network: put brackets after the name of the class.",
                lambda seen: "a class, not a network" in seen),
            Misconception(label_for_logits, "the label instead of the logits",
                "Your network answers with the class it prefers. A student learns from all ten logits, and a generator "
                "from their gradient. argmax throws both away: leave it out.",
                lambda seen: bool(seen.get("whole numbers", 0))),
            Misconception(for_32_pixels, "made for 32 x 32",
                "Your network takes images of 32 x 32, not 28 x 28. Count again: 28, 24, 12, 8, 4. The linear layer "
                "gets 4 x 4 pixels of each channel.",
                lambda seen: "takes 32 x 32 only" in seen),
            Misconception(with_batch_norm, "a BatchNorm in it",
                "It could be a teacher, and DeepInversion even needs BatchNorm. But the exercise asks for a network "
                "without BatchNorm, like LeNet-5. Leave it out.",
                lambda seen: seen.get("BatchNorm layers", 0) > 0),
            Misconception(no_gradient, "no gradient to the images",
                "The answers are there, but no gradient reaches the images: torch.no_grad, detach or .item() stops it. "
                "The generator learns from that gradient.",
                lambda seen: seen.get("largest gradient at a pixel", 1) == 0),
            Misconception(four_classes, "four classes",
                "Your network answers with four numbers, like the notebook's own. The exercise asks for ten classes.",
                lambda seen: "shape" in seen and seen["shape"].tolist() == [8, 4]),
        ),
    ),
)  # fmt: skip
