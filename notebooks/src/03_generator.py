# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 03 Generator: from a latent to an image
#
# **Goal.** Take the network apart that paints images, see what the teacher makes of it before it has learned anything,
# and find images by gradient without it, to learn why it is needed.
#
# **Time.** About 25 minutes, of which 10 seconds are computing (two CPU cores).
#
# Notebook 02 ended with a gap: a student taught with noise reads a fifth of the digits, one taught with real digits
# nearly all. Better images are wanted, and nobody has any.

# %%
import numpy as np
import torch
import torch.nn.functional as F

import rdskd_lab as lab
from rdskd_lab import losses
from rdskd_lab.course import Figure, begin, canvas
from rdskd_lab.methods import baselines
from rdskd_lab.reporting import charts

lesson = begin("03_generator")

# %% [markdown]
# ## A network that paints
#
# A *generator* $G$ turns a *latent* $z \sim N(0, I_{100})$, a hundred random numbers, into an image $x = G(z)$. It is a
# classifier turned round: few numbers become many. This one is DAFL's, which RDSKD uses too: a linear layer makes a
# small picture of many channels; twice its sides are doubled and a convolution mixes what is there; the last
# convolution leaves one channel, grey.
#
# *Predict before you run: the image has 32 x 32 pixels and its sides are doubled twice. How large is the picture that
# the linear layer makes? Which layer has most weights?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
generator = lab.seeded(lesson.seed, lab.Generator, width=16).double()  # published: width 128
z = torch.randn(64, 100, generator=torch.Generator().manual_seed(lesson.seed), dtype=torch.float64)


def tell(layer, h):
    """A layer, the shape of what leaves it, and how many weights it has."""
    count = sum(weight.numel() for weight in layer.parameters())
    print(f"{type(layer).__name__:12} {tuple(h.shape)!s:20} {count:7,} weights")


with torch.no_grad():
    x = generator.project(z).view(64, 16, 8, 8)
    tell(generator.project, x)
    for layer in generator.paint:
        x = layer(x)
        tell(layer, x)
blots = x  # what an untrained generator paints

# %% [markdown]
# ## The same, flat
#
# Nothing of it is mysterious. In training mode a *BatchNorm* takes, for each channel, the mean and the variance over
# the batch and all pixels, and gives $(h - \mu)/\sqrt{\sigma^2 + \epsilon}$, times a weight, plus a bias. The last one
# has neither weight nor bias: it gives the images mean 0 and variance 1, the scale of *normalised* data, which the
# teacher was trained on.


# %%
def normalise(h, eps, weight=None, bias=None):
    """BatchNorm in training mode: (N, C, H, W) -> (N, C, H, W), by channel, over batch and pixels."""
    mean = h.mean((0, 2, 3), keepdim=True)  # (1, C, 1, 1)
    variance = ((h - mean) ** 2).mean((0, 2, 3), keepdim=True)
    h = (h - mean) / (variance + eps).sqrt()
    return h if weight is None else h * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


def double(h):
    """Nearest neighbour: each pixel becomes 2 x 2 of the same."""
    return h.repeat_interleave(2, 2).repeat_interleave(2, 3)


with torch.no_grad():
    norm1, _, conv1, norm2, _, _, conv2, norm3, _, conv3, _, _ = generator.paint
    h = (z @ generator.project.weight.T + generator.project.bias).view(64, 16, 8, 8)
    h = double(normalise(h, 1e-5, norm1.weight, norm1.bias))  # (64, 16, 16, 16)
    h = normalise(F.conv2d(h, conv1.weight, conv1.bias, padding=1), 0.8, norm2.weight, norm2.bias)
    h = double(F.leaky_relu(h, 0.2))  # (64, 16, 32, 32)
    h = normalise(F.conv2d(h, conv2.weight, conv2.bias, padding=1), 0.8, norm3.weight, norm3.bias)
    h = F.conv2d(F.leaky_relu(h, 0.2), conv3.weight, conv3.bias, padding=1)  # (64, 1, 32, 32)
    flat = normalise(torch.tanh(h), 1e-5)

print("largest difference below 1e-10:", (flat - blots).abs().max().item() < 1e-10)
print(f"mean {blots.mean().abs():.4f}, variance {blots.var(unbiased=False):.4f}")

# %% [markdown]
# (The variance is not quite 1: that of $\tanh$'s output is about 0.005 before the network has learned, and $10^{-5}$ is
# not nothing beside it.)
#
# Two curiosities of the released code are kept: the inner BatchNorms have $\epsilon = 0.8$, probably meant as their
# momentum, and the picture is doubled by repeating pixels, which is cheap and leaves small squares for the convolution
# to smooth.
#
# ### Exercise 1: double a picture
#
# Write the doubling yourself, without `nn.Upsample`, `F.interpolate` and `repeat_interleave`: pixel $(i, j)$ becomes
# the pixels $(2i, 2j), (2i, 2j+1), (2i+1, 2j), (2i+1, 2j+1)$.


# %% tags=["exercise-1"]
def upsample(images):
    """Images (N, C, H, W) -> (N, C, 2H, 2W), each pixel repeated as 2 x 2."""
    ...


lesson[1].check(upsample)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ### Exercise 2: the scale of normalised data
#
# Write the generator's last layer: each channel gets mean 0 and variance 1. Over what are mean and variance taken?
# Leave $\epsilon$ out.


# %% tags=["exercise-2"]
def standardise(images):
    """Images (N, C, H, W) -> the same shape, each channel with mean 0 and variance 1 as BatchNorm does it."""
    ...


lesson[2].check(standardise)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## What a beginner's images are to the teacher
#
# *Predict before you run: a generator with random weights paints blots. The teacher is shown 1,000 of them, 1,000
# images of noise and 1,000 real digits. Of which is it least sure? In which do all ten classes occur?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).eval().requires_grad_(False)
digits = lab.load_data("digits", "train")
rng = torch.Generator().manual_seed(lesson.seed)
with torch.no_grad():  # in single precision: a thousand images in double would take 2 GB
    shown = {
        "noise": baselines.Noise(1, 32).sample(1000, rng).images,
        "blots": generator.float()(torch.randn(1000, 100, generator=rng, dtype=torch.float64).float()),
        "digits": digits.normalise(digits.images[::4]),  # 100 of each class
    }
    p = {name: teacher(images).softmax(1) for name, images in shown.items()}  # (1000, 10) each
shares = {name: 100 * q.argmax(1).bincount(minlength=10).numpy() / len(q) for name, q in p.items()}

lesson.band("certainty of blots", p["blots"].max(1).values.mean(), "%", look_at="the generator's last layer")
lesson.band("commonest class among blots", shares["blots"].max() / 100, "%", look_at="whether 1000 were painted")

# %%
figure, axes = canvas(10, 3.6, 10, 3)
tiles = [*shown["noise"][:10], *shown["blots"][:10], *shown["digits"][::100]]
for axis, image in zip(axes, tiles, strict=True):
    axis.imshow(image[0], cmap="gray")
    axis.set(xticks=[], yticks=[])
for row, name in enumerate(shown):
    certain = 100 * p[name].max(1).values.mean()
    axes[10 * row].set_ylabel(f"{name}\n{certain:.0f} % sure")
alt = "Ten images each: noise, which is grey snow; blots, soft clouds with small squares; handwritten digits 0 to 9."
Figure("three kinds of images", figure, alt)

# %%
rows = []
for i, (name, share) in enumerate(shares.items()):
    bars = [charts.Line(name, np.arange(10), share, i, "bars")]
    rows.append(charts.Curves(name, bars, "the teacher's answer", unit=" %", ticks=list("0123456789")))
charts.Panels("what the teacher takes them for", rows)

# %% [markdown]
# The teacher is surer of blots than of noise. (They are smoother; whether that is why was not tried.) But it takes most
# of them for one or two classes. A student taught with blots alone lies between the two of notebook 02: in 600 steps
# and one seed 74 % of the test digits were read, against 26 % for noise and 97 % for digits (the package calls that
# control `untrained`). The teacher's answer to an image is therefore of use twice: as a target for the student, and as
# a *judgement* of the image.
#
# ## Model inversion: ask the teacher backwards
#
# A network is trained by a gradient with respect to its weights. The same backward pass goes on to the *input*:
# $\partial L/\partial x$ says how each pixel should change. So fix the weights, choose a class $k$, start from noise
# and descend
#
# $$L_{CE}(x) = -\ln p_k(x), \qquad p = \mathrm{softmax}(t(x)).$$
#
# *Predict before you run: after 10 steps, how sure is the teacher that the image is a 3? Do you see a 3?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = teacher.double()
targets = torch.arange(10).repeat(4)  # 40 images, four of each class
start = torch.randn(40, 1, 32, 32, generator=torch.Generator().manual_seed(lesson.seed), dtype=torch.float64)


def descend(loss, start, steps=100, lr=0.1):
    """Pixels that descend `loss(x)` from `start` by Adam; the teacher stays as it is."""
    x = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()
    return x.detach()


def certainty(x):
    """The teacher's mean probability of the class that was asked for."""
    return teacher(x).softmax(1)[torch.arange(40), targets].mean().item()


bare = descend(lambda x: F.cross_entropy(teacher(x), targets), start, steps=10, lr=0.05)
print(f"certainty: {certainty(start):.4f} before, {certainty(bare):.4f} after 10 steps")
print(f"a pixel moved by {(bare - start).abs().mean():.4f} in the mean; the noise has a spread of 1")

# The package says the same as a table of terms over Pixels, in the loop that everything trains in.
pixels = lab.Pixels(targets).double()
pixels.images.data.copy_(start)
ask = lab.Objective(ce=lab.Term(lambda batch: F.cross_entropy(batch.logits, batch.targets)))
optimizer = torch.optim.Adam(pixels.parameters(), lr=0.05)
steps = lab.training.synthesise(teacher, pixels, ask, optimizer, batch_size=None)
for _ in range(10):
    next(steps)
print("largest difference to the package below 1e-8:", (pixels.images - bare).abs().max().item() < 1e-8)

# %% [markdown]
# The teacher is certain, and there is nothing to see (the upper row of the next figure): a quarter of the noise's own
# spread, each pixel in the direction that counts, moves its answer from anything to anything. It was never trained on
# noise, so what it says about noise was never checked.
#
# ### Exercise 3: invert a class
#
# Write it yourself: from `start`, plain gradient steps $x \leftarrow x - \eta\,\partial L_{CE}/\partial x$ with $\eta$
# = `lr`, and no step for the teacher.


# %% tags=["exercise-3"]
def invert(teacher, start, labels, steps, lr):
    """Images start (N, C, S, S) after `steps` gradient steps towards labels (N,); the teacher is left alone."""
    ...


lesson[3].check(invert)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# ## A little help: what images are like
#
# A *prior* is what we know of images before we ask the teacher: here, that neighbouring pixels are alike. *Total
# variation* $R_{TV}$ takes all images less themselves, moved by one pixel, and the norm of that; once each for four
# directions, added up. The pixels now descend $L_{CE} + 0.01\,R_{TV}$.
#
# *Predict before you run: is the teacher surer with the prior or without it? Four starts of noise are asked for the
# same class: are their four images alike?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %%
smooth = descend(lambda x: F.cross_entropy(teacher(x), targets) + 0.01 * losses.total_variation(x), start)
print(f"certainty: {certainty(bare):.4f} without a prior, after 10 steps")
print(f"           {certainty(smooth):.4f} with it, after 100 steps")

figure, axes = canvas(10, 3.6, 10, 3)
for axis, image in zip(axes, [*bare[:10], *smooth[:10], *smooth[10:20]], strict=True):
    axis.imshow(image[0], cmap="gray")
    axis.set(xticks=[], yticks=[])
for axis, label in zip(axes, targets[:10].tolist(), strict=False):
    axis.set_title(f"asked: {label}", fontsize=10)
for row, label in enumerate(("no prior", "prior", "another\nstart")):
    axes[10 * row].set_ylabel(label)
alt = (
    "Three rows of ten images, asked to become 0 to 9. First row, no prior: grey snow. Second and third row, total "
    "variation, two starts: soft grey shapes in which a digit's ring, hook or cross shows; the two rows look alike."
)
Figure("images found by gradient", figure, alt)

# %% [markdown]
# The prior is a second wish beside the first, so the teacher is less sure, even after ten times as many steps.
#
# ## Why these images alone are not enough
#
# How alike are two images of one class? Take the cosine of their pixels (each image less its mean): 1 if they are the
# same up to brightness and contrast, about 0 if they have nothing in common.


# %%
def alike(x):
    """Mean cosine of pairs of different images of one class, four images each of ten classes in turn."""
    flat = x.flatten(1) - x.flatten(1).mean(1, keepdim=True)
    flat = flat / flat.norm(dim=1, keepdim=True)
    cosine = (flat @ flat.T).view(4, 10, 4, 10)
    pairs = [cosine[a, k, b, k] for k in range(10) for a in range(4) for b in range(a)]
    return torch.stack(pairs).mean().item()


four = digits.images.view(10, 400, 1, 32, 32)[:, ::100].transpose(0, 1).flatten(0, 1)  # (40, 1, 32, 32)
real = digits.normalise(four).double()
print(f"real digits of one class: {alike(real):.4f}")
lesson.band("inverted with the prior", alike(smooth), "", 2, look_at="whether all 40 have their own start")
print("inverted without it: nothing in common, cosine below 0.05:", abs(alike(bare)) < 0.05)

differ = (bare[:10] - bare[10:20]).flatten(1), (start[:10] - start[10:20]).flatten(1)  # two images of each class
apart = F.cosine_similarity(*differ).mean()
lesson.band("what still differs that was the start's noise", apart, "", 2, look_at="the number of steps")

# %% [markdown]
# Read the four together. Without a prior two images of a class do differ, but nearly all of what differs (the last
# number, a cosine) is the noise they started from: variety that says nothing about digits. With the prior the noise is
# gone, and the images of one class are alike, much more so than real ones. The loss looks at each image alone and wants
# *one* sure image; nothing in it asks for *another* one. And each image with a prior costs a hundred passes through the
# teacher.
#
# A generator answers both. It is trained once and then paints as many images as one likes, one pass each; its weights
# learn by the gradient that moved the pixels, $\frac{\partial L}{\partial \theta} = \frac{\partial L}{\partial
# x}\frac{\partial x}{\partial \theta}$; and because it paints a whole *batch* from different latents, a loss can ask
# how the images of a batch differ from one another. Which losses ask for what is the subject of notebooks 04 to 07.
#
# ## What to remember
#
# * A generator makes images from random latents; its last BatchNorm gives them the scale of normalised data.
# * What the teacher answers is a judgement, and its gradient reaches the pixels, or the weights of whoever painted
#   them.
# * Certain is not realistic: noise, changed by a quarter of its spread, is a 3 with a probability of nearly 1.
# * A prior makes images that look like something, all alike. Variety has to be asked for.
#
# ## The paper, the code, and what we measured
#
# * **Released code**: this generator is DAFL's and RDSKD's, with $\epsilon = 0.8$ and nearest doubling; there it is
#   eight times as wide. Images by gradient with total variation come from DeepInversion, which adds a prior that needs
#   BatchNorm in the teacher (this one has none).
# * **Measured here**: the teacher's answers to noise, blots and digits, and the similarity of inverted images; ranges
#   of ten seeds stand above.
# * **Where they differ**: DeepInversion's published settings take 2,000 steps, other weights and shifts; ours are the
#   smallest that show the point, so the pictures say nothing about how good that method can be. Notebook 10 compares
#   methods.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | BatchNorm | a layer that gives each channel mean 0 and variance 1, over a batch and all pixels while training |
# | normalised data | pixels less the data's mean, over its standard deviation: what the teacher was trained on |
# | model inversion | finding an input that a network answers in a wanted way, by the gradient at the input |
# | prior | what is known of images before a network is asked |
# | total variation | how much neighbouring pixels differ, added up |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
