"""Exercises of notebook 03: doubling a picture, the scale of normalised data, model inversion."""

import copy

import torch
import torch.nn.functional as F

from ..exercise import Exercise, Family, Misconception, Wrong

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


def columns_tiled(images):
    return images.repeat_interleave(2, 2).repeat(1, 1, 1, 2)


def rows_tiled(images):
    return images.repeat(1, 1, 2, 1).repeat_interleave(2, 3)


def watch_doubling(answer):
    small = torch.as_tensor(answer(PICTURES[:1, :1].clone()), dtype=torch.float64)
    return {"one picture of 2 x 3 pixels": small, "two pictures of two channels": answer(PICTURES.clone())}


# ---- 2: the scale of normalised data ---------------------------------------------------------------------------------

CHANNELS = torch.randn(6, 2, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
CHANNELS = CHANNELS * torch.tensor([3.0, 0.2], dtype=torch.float64).view(1, 2, 1, 1)
CHANNELS = CHANNELS + torch.arange(6, dtype=torch.float64).view(6, 1, 1, 1)  # all channels and all images differ


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
    """Recognise what `wrong` does, also if its spreads divide by the count minus 1, as torch's std does."""

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


def epsilon_in_the_variance(epsilon):
    return lambda images: F.batch_norm(images, None, None, training=True, eps=epsilon)


def epsilon_beside_the_spread(epsilon):
    def answer(images):
        spread = images.std((0, 2, 3), unbiased=False, keepdim=True)
        return (images - images.mean((0, 2, 3), keepdim=True)) / (spread + epsilon)

    return answer


def stretched(images):
    low, high = images.amin((0, 2, 3), keepdim=True), images.amax((0, 2, 3), keepdim=True)
    return 2 * (images - low) / (high - low) - 1


def _between_two_levels(seen):
    """Recognise channels that are stretched between fixed levels: 0 and 1, or -1 and 1."""
    out = seen.get("the images", torch.zeros(1, 1, 1, 1))
    ends = torch.stack([out.amin((0, 2, 3)), out.amax((0, 2, 3))]).round(decimals=6)
    return len(ends[0].unique()) == len(ends[1].unique()) == 1 and bool(ends[0, 0] < ends[1, 0]) and out.shape[1] > 1


def mean_of_each_pixel(images):
    return (images - images.mean(0)) / images.std((0, 2, 3), unbiased=False, keepdim=True)


def watch_scale(answer):
    out = torch.as_tensor(answer(CHANNELS.clone()), dtype=torch.float64)
    if out.shape != CHANNELS.shape:
        raise Wrong(f"The images should keep their shape {tuple(CHANNELS.shape)}; yours have shape {tuple(out.shape)}.")
    return {
        "the mean of each channel": out.mean((0, 2, 3)),
        "the variance of each channel": out.var((0, 2, 3), unbiased=False),
        "the images": out,
    }


# ---- 3: invert a class -----------------------------------------------------------------------------------------------

CLASSES = torch.tensor([0, 1, 2, 3])


class Reader(torch.nn.Module):
    """A tiny teacher with 4 classes for images of 1 x 4 x 4; every pixel affects its answer."""

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.first, self.last = torch.nn.Linear(16, 12).double(), torch.nn.Linear(12, 4).double()
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=rng, dtype=torch.float64) / 2

    def forward(self, x):
        return self.last(self.first(x.flatten(1)).tanh())


def invert(teacher, start, labels, steps, lr):
    """Images start (N, C, S, S) after `steps` gradient steps towards labels (N,); the teacher does not change."""
    x = start.clone().requires_grad_()  # a copy that tracks its gradient
    for _ in range(steps):
        loss = F.cross_entropy(teacher(x), labels)
        gradient = torch.autograd.grad(loss, x)[0]  # with respect to the pixels only, not the weights
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


def the_teachers_own_label(teacher, start, labels, steps, lr):
    x = start.clone()
    for _ in range(steps):
        x.requires_grad_()
        logits = teacher(x)
        x = (x - lr * torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1)), x)[0]).detach()
    return x


def another_step_size(factor):
    return lambda teacher, start, labels, steps, lr: invert(teacher, start, labels, steps, lr * factor)


def nothing_moved(teacher, start, labels, steps, lr):
    return start.clone()


def one_step(teacher, start, labels, steps, lr):
    return invert(teacher, start, labels, 1, lr)


def watch_inversion(answer):
    teacher, begin = Reader(), PICTURES.new_zeros(4, 1, 4, 4) + 0.1 * torch.arange(4).view(4, 1, 1, 1)
    given, before = begin.clone(), copy.deepcopy(teacher.state_dict())
    out = torch.as_tensor(answer(teacher, given, CLASSES.clone(), 30, 2.0), dtype=torch.float64).detach()
    moved = sum((value - before[name]).abs().sum() for name, value in teacher.state_dict().items())
    if moved == 0 and not torch.equal(given, begin):
        raise Wrong("You changed the images in `start`. Work on a copy: start.clone().")
    if moved == 0 and out.shape != begin.shape:
        raise Wrong(f"The images should keep their shape {tuple(begin.shape)}; yours have shape {tuple(out.shape)}.")
    one = torch.as_tensor(answer(Reader(), begin.clone(), CLASSES.clone(), 1, 2.0), dtype=torch.float64).detach()
    p = Reader()(out).softmax(1)[torch.arange(4), CLASSES]
    return {
        "how far the teacher's weights changed": moved,
        "the images after one step": one,
        "the teacher's probability of the target class after 30 steps": p,
        "the images after 30 steps": out,
    }


EXERCISES = (
    Exercise(
        title="double a picture",
        hints=(
            "Take one row of three pixels, a b c. It should become a a b b c c, not a b c a b c. Then do the same for "
            "the rows.",
            "Insert a new axis of length 1 after the row axis and another after the column axis. Expand both to length "
            "2, then merge the axes again.",
            "images.view(n, c, h, 1, w, 1).expand(n, c, h, 2, w, 2), and then .reshape to n, c, 2h, 2w.",
        ),
        answer=upsample,
        watch=watch_doubling,
        right="This is nearest-neighbour doubling, the same as nn.Upsample(scale_factor=2). It has no weights; the "
              "convolution after it learns to smooth the squares.",
        misconceptions=(
            Misconception(tiled, "tiled",
                "You put four copies of the picture side by side: repeat copies the whole picture. Repeat each pixel "
                "in its own place instead, along rows and columns."),
            Misconception(columns_tiled, "the columns tiled",
                "Your rows are right. Along the columns, you repeat the whole picture, a b c a b c. Repeat each pixel "
                "instead: a a b b c c."),
            Misconception(rows_tiled, "the rows tiled",
                "Your columns are right. Along the rows, you repeat the whole picture. Instead, repeat each row "
                "directly below itself."),
            Misconception(smoothed, "smoothed",
                "You mix neighbouring pixels (bilinear interpolation). Here you should only repeat them; the "
                "generator's convolutions learn to smooth."),
            Misconception(with_zeros, "zeros between the pixels",
                "Your new pixels are 0, as in the first step of a transposed convolution. Here, each new pixel repeats "
                "its neighbour."),
            Misconception(rows_only, "rows only",
                "You double the rows but not the columns. Images are (N, C, H, W): double axis 2 and axis 3."),
            Misconception(columns_only, "columns only",
                "You double the columns but not the rows. Images are (N, C, H, W): double axis 2 and axis 3."),
            Misconception(the_wrong_axes, "the channels doubled",
                "You double the channels. Images are (N, C, H, W): the rows are axis 2, the columns axis 3."),
        ),
    ),
    Exercise(
        title="the scale of normalised data",
        hints=(
            "How many means do you need for images (N, C, H, W)? One for each channel. Over which axes do you take "
            "each mean?",
            "Take each mean over axes 0, 2 and 3, with keepdim=True so that you can subtract it. Then divide by the "
            "standard deviation over the same axes, with unbiased=False.",
            "(images - images.mean((0, 2, 3), keepdim=True)) / ... with the same axes in the denominator.",
        ),
        answer=standardise,
        watch=watch_scale,
        right="So the sum of all squares in a batch is always N times C times H times W, whatever the images show. "
              "Remember this number for notebook 06.",
        misconceptions=(
            Misconception(each_image_alone, "each image by itself",
                "You take the mean and the variance of each image, as InstanceNorm does. Then no image can be brighter "
                "than another. BatchNorm takes them over the batch as well: axes 0, 2 and 3.",
                _in_direction_of(each_image_alone)),
            Misconception(all_channels_together, "all channels together",
                "You take one mean and one variance over everything. Take one pair for each channel: axes 0, 2 and 3.",
                _in_direction_of(all_channels_together)),
            Misconception(each_pixel_alone, "each pixel by itself",
                "You take the mean and the variance over the batch for each pixel. Then every pixel varies equally, "
                "even those in the corners. BatchNorm takes them over the pixels as well: axes 0, 2 and 3.",
                _in_direction_of(each_pixel_alone)),
            Misconception(each_image_all_channels, "each image, all channels together",
                "You take the mean and the variance of a whole image, as LayerNorm does. BatchNorm has one pair for "
                "each channel, over the batch and all pixels: axes 0, 2 and 3.",
                _in_direction_of(each_image_all_channels)),
            Misconception(mean_of_each_pixel, "the mean of each pixel",
                "Your standard deviation is right, but you subtract the mean of each pixel over the batch. Take the "
                "mean over axes 0, 2 and 3 as well."),
            Misconception(unbiased, "divided by one less",
                "Almost right: torch's std divides by the count minus 1 unless you pass unbiased=False. BatchNorm "
                "normalises with the plain mean of the squared deviations."),
            Misconception(by_the_variance, "variance instead of standard deviation",
                "You divide by the variance. Divide by its square root, the standard deviation: only then does the "
                "variance become 1."),
            Misconception(not_centred, "the mean is still there",
                "The scale is right, but you did not subtract the mean. Subtract it before you divide."),
            Misconception(stretched, "stretched between two levels",
                "You stretch each channel between its smallest and its largest value. One extreme pixel then decides "
                "the scale. Subtract the mean and divide by the standard deviation instead.",
                _between_two_levels),
        ),
        families=(
            Family(epsilon_in_the_variance, "an epsilon in the variance",
                "You add about {number} to the variance, as torch's BatchNorm does to avoid a division by 0. The "
                "exercise asks you to leave epsilon out."),
            Family(epsilon_beside_the_spread, "an epsilon beside the standard deviation",
                "You add about {number} to the standard deviation. The exercise asks you to leave epsilon out."),
        ),
    ),
    Exercise(
        title="invert a class",
        hints=(
            "Each step has three parts: the loss of the teacher's answer to the images, the gradient of this loss with "
            "respect to the images, and one step against this gradient. Which tensor needs a gradient?",
            "Make a copy that tracks its gradient, x = start.clone().requires_grad_(). Take torch.autograd.grad(loss, "
            "x)[0], and begin the next step with a detached x.",
            "for _ in range(steps): loss = F.cross_entropy(teacher(x), labels); then x = (x - lr * ...), detached, "
            "with requires_grad_() again.",
        ),
        answer=invert,
        watch=watch_inversion,
        right="Gradient descent trains the weights of a network. If you fix the weights, it trains the input just as "
              "well.",
        misconceptions=(
            Misconception(trained_the_teacher, "the teacher trained",
                "You trained the teacher: its weights changed, and now it sees the class in everything. Leave the "
                "weights alone and change the pixels.",
                lambda seen: float(seen.get("how far the teacher's weights changed", 0)) > 0),
            Misconception(uphill, "uphill",
                "Your images move away from their class: you step along the gradient. Step against it: "
                "x - lr * gradient."),
            Misconception(gradients_add_up, "gradients that add up",
                "The first step is right, but later ones go too far: backward() adds to x.grad. Set x.grad to None "
                "before each step, or use torch.autograd.grad."),
            Misconception(summed_over_the_batch, "a sum over the batch instead of the mean",
                "Your steps are N times too long. The loss is a mean over the images, as F.cross_entropy computes it."),
            Misconception(logit_instead, "the logit instead of the probability",
                "You raise the logit of the class. The other logits may rise with it. Use the cross-entropy: its "
                "softmax compares the classes."),
            Misconception(the_teachers_own_label, "the teacher's own label",
                "You take the teacher's favourite class as the label, so each image becomes more of what it already "
                "is. Use the `labels` that your function receives."),
            Misconception(sign_only, "the sign of the gradient",
                "You step by the sign of the gradient, so each pixel moves the same distance. This is how adversarial "
                "examples are often made. Here each pixel moves by its own gradient times lr."),
            Misconception(by_adam, "Adam's steps",
                "It works, but Adam moves each pixel by about lr, however small its gradient. Use plain steps, "
                "x - lr * gradient; torch.optim.SGD does the same."),
            Misconception(nothing_moved, "unchanged images",
                "You return the images as they were at the start. Do you return the result of the last step?"),
            Misconception(one_step, "one step only",
                "You took one step, whatever `steps` says. Is the return inside the loop, or does each step begin from "
                "`start` again?"),
        ),
        families=(
            Family(another_step_size, "another step size",
                "Your steps point in the right direction, but they are {number} times as long as they should be. Step "
                "by lr times the gradient of the mean loss.", 1e-3, 100),
        ),
    ),
)  # fmt: skip
