"""Exercises of notebook 02: doubling a picture, the scale of normalised data, model inversion."""

import copy

import torch
import torch.nn.functional as F

from ..exercise import Exercise, Misconception, Wrong

PICTURES = torch.arange(24, dtype=torch.float64).view(2, 2, 2, 3) ** 1.5  # (N, C, H, W), no two pixels alike

# ---- 1: double a picture ---------------------------------------------------------------------------------------------


def upsample(images):
    """Images (N, C, H, W) -> (N, C, 2H, 2W), each pixel repeated as 2 x 2."""
    n, c, h, w = images.shape
    cells = images.view(n, c, h, 1, w, 1).expand(n, c, h, 2, w, 2)  # two new axes, one after rows, one after columns
    return cells.reshape(n, c, 2 * h, 2 * w)


def tiled(images):
    return images.repeat(1, 1, 2, 2)


def smoothed(images):
    return F.interpolate(images, scale_factor=2, mode="bilinear")


def with_zeros(images):
    n, c, h, w = images.shape
    out = images.new_zeros(n, c, 2 * h, 2 * w)
    out[:, :, ::2, ::2] = images
    return out


def rows_only(images):
    return images.repeat_interleave(2, 2)


def columns_only(images):
    return images.repeat_interleave(2, 3)


def the_wrong_axes(images):
    return images.repeat_interleave(2, 1).repeat_interleave(2, 2)


def watch_doubling(answer):
    small = torch.as_tensor(answer(PICTURES[:1, :1].clone()), dtype=torch.float64)
    return {"one picture of 2 x 3 pixels": small, "two pictures of two channels": answer(PICTURES.clone())}


# ---- 2: the scale of normalised data ---------------------------------------------------------------------------------

CHANNELS = torch.randn(6, 2, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
CHANNELS = CHANNELS * torch.tensor([3.0, 0.2], dtype=torch.float64).view(1, 2, 1, 1)
CHANNELS = CHANNELS + torch.arange(6, dtype=torch.float64).view(6, 1, 1, 1)  # unlike channels, unlike images


def standardise(images):
    """Images (N, C, H, W) -> the same shape, each channel with mean 0 and variance 1 as BatchNorm does it."""
    mean = images.mean((0, 2, 3), keepdim=True)  # (1, C, 1, 1): one per channel, over the batch and all pixels
    variance = images.var((0, 2, 3), unbiased=False, keepdim=True)  # divided by N H W, not by N H W - 1
    return (images - mean) / variance.sqrt()


def each_image_alone(images):
    mean, spread = images.mean((2, 3), keepdim=True), images.std((2, 3), unbiased=False, keepdim=True)
    return (images - mean) / spread


def all_channels_together(images):
    return (images - images.mean()) / images.std(unbiased=False)


def each_pixel_alone(images):
    return (images - images.mean(0)) / images.std(0, unbiased=False)


def each_image_all_channels(images):
    mean, spread = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), unbiased=False, keepdim=True)
    return (images - mean) / spread


def _in_direction_of(wrong):
    """Recognises what `wrong` does, whether its spreads divide by the count or by one less: torch's std does that."""

    def recognise(seen):
        pair = (seen.get("the images", torch.zeros_like(CHANNELS)).flatten(), wrong(CHANNELS).flatten())
        return float(F.cosine_similarity(*pair, dim=0)) > 1 - 1e-9

    return recognise


def unbiased(images):
    return (images - images.mean((0, 2, 3), keepdim=True)) / images.std((0, 2, 3), keepdim=True)


def by_the_variance(images):
    return (images - images.mean((0, 2, 3), keepdim=True)) / images.var((0, 2, 3), unbiased=False, keepdim=True)


def not_centred(images):
    return images / images.std((0, 2, 3), unbiased=False, keepdim=True)


def with_epsilon(images):
    return F.batch_norm(images, None, None, training=True)


def watch_scale(answer):
    out = torch.as_tensor(answer(CHANNELS.clone()), dtype=torch.float64)
    if out.shape != CHANNELS.shape:
        raise Wrong(f"The shape should stay {tuple(CHANNELS.shape)}; yours is {tuple(out.shape)}.")
    return {
        "the mean of each channel": out.mean((0, 2, 3)),
        "the variance of each channel": out.var((0, 2, 3), unbiased=False),
        "the images": out,
    }


# ---- 3: invert a class -----------------------------------------------------------------------------------------------

CLASSES = torch.tensor([0, 1, 2, 3])


class Reader(torch.nn.Module):
    """A tiny teacher of 4 classes for images of 1 x 4 x 4; no pixel is without meaning to it."""

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.first, self.last = torch.nn.Linear(16, 12).double(), torch.nn.Linear(12, 4).double()
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=rng, dtype=torch.float64) / 2

    def forward(self, x):
        return self.last(self.first(x.flatten(1)).tanh())


def invert(teacher, start, labels, steps, lr):
    """Images start (N, C, S, S) after `steps` gradient steps towards labels (N,); the teacher is left alone."""
    x = start.clone().requires_grad_()  # a copy, whose gradient is asked for
    for _ in range(steps):
        loss = F.cross_entropy(teacher(x), labels)
        gradient = torch.autograd.grad(loss, x)[0]  # with respect to the pixels only; no weight gets one
        x = (x - lr * gradient).detach().requires_grad_()  # a new leaf: the next step starts its own graph
    return x.detach()


def uphill(teacher, start, labels, steps, lr):
    return invert(teacher, start, labels, steps, -lr)


def trained_the_teacher(teacher, start, labels, steps, lr):
    optimizer = torch.optim.SGD(teacher.parameters(), lr)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(teacher(start), labels).backward()
        optimizer.step()
    return start


def gradients_add_up(teacher, start, labels, steps, lr):
    x, total = start.clone(), torch.zeros_like(start)
    for _ in range(steps):
        x.requires_grad_()
        total = total + torch.autograd.grad(F.cross_entropy(teacher(x), labels), x)[0]
        x = (x - lr * total).detach()
    return x


def summed_over_the_batch(teacher, start, labels, steps, lr):
    return invert(teacher, start, labels, steps, lr * len(start))


def logit_instead(teacher, start, labels, steps, lr):
    x = start.clone()
    for _ in range(steps):
        x.requires_grad_()
        raised = -teacher(x)[torch.arange(len(x)), labels].mean()
        x = (x - lr * torch.autograd.grad(raised, x)[0]).detach()
    return x


def sign_only(teacher, start, labels, steps, lr):
    x = start.clone()
    for _ in range(steps):
        x.requires_grad_()
        x = (x - lr * torch.autograd.grad(F.cross_entropy(teacher(x), labels), x)[0].sign()).detach()
    return x


def by_adam(teacher, start, labels, steps, lr):
    x = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(teacher(x), labels).backward(inputs=[x])
        optimizer.step()
    return x.detach()


def nothing_moved(teacher, start, labels, steps, lr):
    return start.clone()


def one_step(teacher, start, labels, steps, lr):
    return invert(teacher, start, labels, 1, lr)


def watch_inversion(answer):
    teacher, begin = Reader(), PICTURES.new_zeros(4, 1, 4, 4) + 0.1 * torch.arange(4).view(4, 1, 1, 1)
    given, before = begin.clone(), copy.deepcopy(teacher.state_dict())
    out = torch.as_tensor(answer(teacher, given, CLASSES, 30, 2.0), dtype=torch.float64).detach()
    moved = sum((value - before[name]).abs().sum() for name, value in teacher.state_dict().items())
    if moved == 0 and not torch.equal(given, begin):
        raise Wrong("The images given as start have changed: work on a copy, start.clone().")
    if moved == 0 and out.shape != begin.shape:
        raise Wrong(f"The images should keep their shape {tuple(begin.shape)}; yours have {tuple(out.shape)}.")
    one = torch.as_tensor(answer(Reader(), begin.clone(), CLASSES, 1, 2.0), dtype=torch.float64).detach()
    p = Reader()(out).softmax(1)[torch.arange(4), CLASSES]
    return {
        "how far the teacher's weights moved": moved,
        "the images after one step": one,
        "the teacher's probability of the wanted class after 30 steps": p,
        "the images after 30 steps": out,
    }


EXERCISES = (
    Exercise(
        title="double a picture",
        hints=(
            "Take one row of three pixels, a b c. It should become a a b b c c, not a b c a b c. The same for rows.",
            "Give each pixel a new axis of length 1 behind its row and one behind its column, let both become 2 by "
            "expand, and put the axes together again.",
            "images.view(n, c, h, 1, w, 1).expand(n, c, h, 2, w, 2), and then .reshape to n, c, 2h, 2w.",
        ),
        answer=upsample,
        watch=watch_doubling,
        right="That is nearest-neighbour doubling, as nn.Upsample(scale_factor=2) does it. It has no weights; the "
              "convolution after it learns to smooth the squares.",
        misconceptions=(
            Misconception(tiled, "tiled",
                "You have four small copies of the picture beside each other: repeat puts the whole behind the whole. "
                "Each pixel should stand twice in its own place."),
            Misconception(smoothed, "smoothed",
                "You mix neighbouring pixels (bilinear). The generator's doubling only repeats; what is smooth in its "
                "images the convolutions have learned."),
            Misconception(with_zeros, "zeros between the pixels",
                "Your new pixels are 0. That is what a transposed convolution does first; here each new pixel repeats "
                "its neighbour."),
            Misconception(rows_only, "rows only",
                "The rows are doubled, the columns are not. Images are (N, C, H, W): both axis 2 and axis 3."),
            Misconception(columns_only, "columns only",
                "The columns are doubled, the rows are not. Images are (N, C, H, W): both axis 2 and axis 3."),
            Misconception(the_wrong_axes, "channels doubled",
                "You have doubled the channels. Images are (N, C, H, W): rows are axis 2, columns axis 3."),
        ),
    ),
    Exercise(
        title="the scale of normalised data",
        hints=(
            "How many means are there for images (N, C, H, W)? One for each channel. Over which axes is each taken?",
            "Over axes 0, 2 and 3, with keepdim=True so that the result can be subtracted. Then divide by the standard "
            "deviation over the same axes, with unbiased=False.",
            "(images - images.mean((0, 2, 3), keepdim=True)) / ... with the same axes below the line.",
        ),
        answer=standardise,
        watch=watch_scale,
        right="So the sum of all squares of a batch is N times C times H times W, whatever was painted: one fixed "
              "number. Remember it for notebook 05.",
        misconceptions=(
            Misconception(each_image_alone, "each image alone",
                "You take mean and variance of each image. Then no image can be brighter than another, and the batch "
                "plays no part: that layer is called InstanceNorm. BatchNorm goes over the batch as well.",
                _in_direction_of(each_image_alone)),
            Misconception(all_channels_together, "all channels together",
                "You take one mean and one variance for everything. Each channel has its own.",
                _in_direction_of(all_channels_together)),
            Misconception(each_pixel_alone, "each pixel alone",
                "You take mean and variance over the batch for each pixel. Then every pixel would vary equally, "
                "corners too; BatchNorm goes over the pixels as well.",
                _in_direction_of(each_pixel_alone)),
            Misconception(each_image_all_channels, "each image, all channels together",
                "You take mean and variance of a whole image: that layer is called LayerNorm. BatchNorm has one "
                "pair for each channel, over the batch and all pixels.",
                _in_direction_of(each_image_all_channels)),
            Misconception(unbiased, "divided by one less",
                "Almost: torch's std divides by the count less 1 unless you say unbiased=False. BatchNorm normalises "
                "with the plain mean of the squares."),
            Misconception(with_epsilon, "epsilon left in",
                "Nearly: torch's BatchNorm adds 0.00001 to the variance, so that a channel without variance divides by "
                "no 0. Here it was asked for without."),
            Misconception(by_the_variance, "variance for standard deviation",
                "You divide by the variance. Its unit is the square of the images'; its root, the standard deviation, "
                "brings the variance to 1."),
            Misconception(not_centred, "mean not taken off",
                "The scale is right, but the mean is still there. Subtract it first."),
        ),
    ),
    Exercise(
        title="invert a class",
        hints=(
            "Three things in each step: the loss of the teacher's answer to the images, its gradient with respect to "
            "the images, one step against it. Which tensor has to ask for a gradient?",
            "Make a copy that asks for a gradient, x = start.clone().requires_grad_(), take torch.autograd.grad(loss, "
            "x)[0], and begin the next step with a detached x.",
            "for _ in range(steps): loss = F.cross_entropy(teacher(x), labels), then x = (x - lr * ...) detached and "
            "asking for a gradient again.",
        ),
        answer=invert,
        watch=watch_inversion,
        right="The same gradient that trains a network trains its input, once the weights hold still.",
        misconceptions=(
            Misconception(trained_the_teacher, "the teacher trained",
                "It is the teacher that learned: its weights have moved, and then everything looks like the class. The "
                "weights hold still, the pixels move.",
                lambda seen: float(seen.get("how far the teacher's weights moved", 0)) > 0),
            Misconception(uphill, "uphill",
                "Your images move away from their class: the step goes with the gradient. Downhill is x - lr * "
                "gradient."),
            Misconception(gradients_add_up, "gradients add up",
                "The first step is right, later ones go too far: backward() adds to x.grad. Set it to None before each "
                "step, or take torch.autograd.grad."),
            Misconception(summed_over_the_batch, "sum over the batch for the mean",
                "Your steps are N times too long. F.cross_entropy is a mean over the images, and so is the loss that "
                "was asked for."),
            Misconception(logit_instead, "logit for probability",
                "You raise the logit of the class. The others may rise with it; only the softmax compares them, and "
                "the cross-entropy has it inside."),
            Misconception(sign_only, "sign of the gradient",
                "You step by the gradient's sign, each pixel equally far. That is the fast gradient sign method of "
                "adversarial examples; here each pixel moves by its own gradient times lr."),
            Misconception(by_adam, "Adam's steps",
                "It works, but you let Adam step: each pixel by about lr, however small its gradient. Plain steps were "
                "asked for, x - lr * gradient; torch.optim.SGD does the same."),
            Misconception(nothing_moved, "nothing moved",
                "The images came back as they were. Is the result of the last step what you return?"),
            Misconception(one_step, "one step only",
                "You took one step, whatever `steps` says. Is the return inside the loop, or does each step begin at "
                "start again?"),
        ),
    ),
)  # fmt: skip
