# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 03 Generator: from random numbers to an image
#
# **Goal.** Take apart the network that makes images. See how the teacher answers its images before it has learned
# anything. Then find images without a generator, by following a gradient, and learn why we need a generator after
# all.
#
# **Time.** About 40 minutes, of which 15 seconds are computing (two CPU cores).
#
# Notebook 02 ended with a gap: a student trained on noise reads a fifth of the digits correctly, and a student
# trained on real digits reads nearly all of them. So we need better images than noise, and we have none.

# %%
import numpy as np
import torch
import torch.nn.functional as F

import rdskd_lab as lab
from rdskd_lab import losses
from rdskd_lab.course import begin, sheet
from rdskd_lab.methods import baselines
from rdskd_lab.reporting import charts

lesson = begin("03_generator")

# %% [markdown]
# ## A network that makes images
#
# A *generator* $G$ turns a *latent* $z \sim N(0, I_{100})$, a hundred random numbers, into an image $x = G(z)$. It is
# a classifier in reverse: a few numbers become many. RDSKD uses the generator of an older method, DAFL. A linear
# layer makes a small picture with many channels. Then the height and width are doubled and a convolution mixes
# neighbouring pixels; this happens twice. The last convolution reduces the channels to one: a grey image.
#
# *Predict before you run: the final image has 32 x 32 pixels, and its height and width have been doubled twice. How
# large is the picture that the linear layer makes? Which layer has the most weights?*

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
blots = x  # the images of an untrained generator

# %% [markdown]
# ## The same, by hand
#
# Nothing in this network is mysterious. In training mode, a *BatchNorm* layer takes the mean $\mu$ and the variance
# $\sigma^2$ of each channel $h$ over the batch and all pixels. It returns $(h - \mu)/\sqrt{\sigma^2 + \epsilon}$,
# times a weight, plus a bias. The last BatchNorm has neither a weight nor a bias, so it gives the images mean 0 and
# variance 1. The *normalised* data on which the teacher was trained has the same scale.


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
# (The variance is not exactly 1. Before training, the output of $\tanh$ has a variance of about 0.005. Compared with
# this, $\epsilon = 10^{-5}$ is small but not negligible.)
#
# The package keeps two curious details of the released code. The inner BatchNorms have $\epsilon = 0.8$, a value that
# was probably meant to be their momentum. And the picture is enlarged by repeating pixels. This is cheap, but it
# leaves small squares that the convolution has to smooth out.
#
# ### Exercise 1: double a picture
#
# Write the doubling yourself, without `nn.Upsample`, `F.interpolate` or `repeat_interleave`. Pixel $(i, j)$ becomes
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
# Write the generator's last layer: each channel gets mean 0 and variance 1. Over which axes do you take the mean and
# the variance? Leave out $\epsilon$.


# %% tags=["exercise-2"]
def standardise(images):
    """Images (N, C, H, W) -> the same shape, each channel with mean 0 and variance 1 as BatchNorm does it."""
    ...


lesson[2].check(standardise)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## How the teacher answers an untrained generator
#
# *Predict before you run: a generator with random weights makes images that we call blots. The teacher answers 1,000
# blots, 1,000 images of noise and 1,000 real digits. Of which kind is it least sure? In which kinds do all ten
# classes occur?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).eval().requires_grad_(False).to(lesson.device)
digits = lab.load_data("digits", "train")
rng = torch.Generator().manual_seed(lesson.seed)
with torch.no_grad():  # in single precision: a thousand images in double would take 2 GB
    shown = {
        "noise": baselines.Noise(1, 32).sample(1000, rng).images,
        "blots": generator.float()(torch.randn(1000, 100, generator=rng, dtype=torch.float64).float()),
        "digits": digits.normalise(digits.images[::4]),  # 100 of each class
    }
    p = {name: teacher(x.to(lesson.device)).softmax(1).cpu() for name, x in shown.items()}  # (1000, 10) each
shares = {name: 100 * q.argmax(1).bincount(minlength=10).numpy() / len(q) for name, q in p.items()}

lesson.band("certainty of blots", p["blots"].max(1).values.mean(), "%", look_at="the generator's last layer")
lesson.band("commonest class among blots", shares["blots"].max() / 100, "%", look_at="whether there are 1000")

# %%
kinds = {"noise": shown["noise"][:10], "blots\nuntrained": shown["blots"][:10], "real digits": shown["digits"][::100]}
sheet(kinds, teacher)

# %%
rows = []
for i, (name, share) in enumerate(shares.items()):
    bars = [charts.Line(name, np.arange(10), share, i, "bars")]
    rows.append(charts.Curves(name, bars, "the teacher's answer", unit=" %", ticks=list("0123456789")))
charts.Panels("what the teacher takes them for", rows)

# %% [markdown]
# The teacher is surer of blots than of noise. (Blots are smoother. We did not test whether this is the reason.) But
# it assigns most of them to one or two classes. A student trained only on blots lies between the two students of
# notebook 02: in one run of 600 steps it read 74 % of the test digits correctly, compared with 26 % for noise and 97
# % for real digits. (The package calls this control `untrained`.) So the teacher's answer has two uses: it is a
# target for the student, and it is a *judgement* of the image.
#
# ## Model inversion: use the teacher in reverse
#
# We train a network with the gradient with respect to its weights. The same backward pass can continue to the
# *input*: $\partial L/\partial x$ shows how each pixel should change. So we keep the weights fixed, choose a class
# $k$, start from noise and change the pixels to minimise
#
# $$L_{CE}(x) = -\ln p_k(x), \qquad p = \mathrm{softmax}(t(x)).$$
#
# *Predict before you run: after 10 steps, how sure is the teacher that the image is a 3? Do you see a 3?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = teacher.cpu().double()
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
print(f"a pixel moved by {(bare - start).abs().mean():.4f} on average; the noise has a spread of 1")


pixels = lab.Pixels(targets).double()
pixels.images.data.copy_(start)
ask = lab.Objective(ce=lab.Term(lambda batch: F.cross_entropy(batch.logits, batch.targets)))
optimizer = torch.optim.Adam(pixels.parameters(), lr=0.05)
steps = lab.training.synthesise(teacher, pixels, ask, optimizer, batch_size=None)
for _ in range(10):
    next(steps)
print("largest difference to the package below 1e-8:", (pixels.images - bare).abs().max().item() < 1e-8)

# %% [markdown]
# The teacher is certain, and yet there is nothing to see (upper row of the next figure). Each pixel changed by about
# a quarter of the noise's own spread, in the direction that matters to the teacher. This is enough to change the
# answer to any class that we choose. The teacher was never trained on noise, so nobody ever checked its answers to
# noise.
#
# ### Exercise 3: invert a class
#
# Write model inversion yourself. Beginning with `start`, take plain gradient steps
# $x \leftarrow x - \eta\,\partial L_{CE}/\partial x$ with $\eta$ = `lr`. The teacher must stay unchanged.


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
# A *prior* is what we know about images before we ask the teacher. Our prior is that neighbouring pixels are similar.
# *Total variation* $R_{TV}$ shifts all images by one pixel, subtracts them from the originals and takes the norm. It
# does this for four directions and adds the four norms. Now the pixels minimise $L_{CE} + 0.01\,R_{TV}$.
#
# *Predict before you run: is the teacher surer with the prior or without it? Four different noise images are
# optimised for the same class: are the four results alike?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %%
smooth = descend(lambda x: F.cross_entropy(teacher(x), targets) + 0.01 * losses.total_variation(x), start)
print(f"certainty: {certainty(bare):.4f} without a prior, after 10 steps")
print(f"           {certainty(smooth):.4f} with it, after 100 steps")

sheet({"no prior\nasked: 0 to 9": bare[:10], "prior": smooth[:10], "prior\nanother start": smooth[10:20]}, teacher)

# %% [markdown]
# The prior adds a second goal. So the teacher is less sure, even after ten times as many steps.
#
# ## Why these images are not enough
#
# How alike are two images of one class? We compute the cosine between their pixels, after subtracting each image's
# mean. It is 1 if the images are the same except for brightness and contrast, and about 0 if they have nothing in
# common.


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
# Look at the four numbers together. Without a prior, two images of a class do differ. But nearly all of the
# difference is the noise from which they started, as the last number, a cosine, shows. This variety tells us nothing
# about digits. With the prior, the noise is gone, and the images of one class are much more alike than real digits
# are. The loss looks at each image separately. It rewards *one* sure image, and never *another*, different one. And
# each image with a prior costs a hundred passes through the teacher.
#
# A generator solves both problems. We train it once, and then it makes as many images as we like, with one pass for
# each. Its weights learn from the same gradient that changed the pixels: $\frac{\partial L}{\partial \theta} =
# \frac{\partial L}{\partial x}\frac{\partial x}{\partial \theta}$. And it makes a whole *batch* from different
# latents, so a loss can measure how much the images of a batch differ. Notebooks 04 to 07 are about the losses that
# train the generator.
#
# ## In the lab: a prior for a generator
#
# A generator can have a prior too. This run of the lab uses a teacher with BatchNorm layers. These layers still hold
# the mean and the variance of each channel over the training data. The extra loss `bn` pushes the generated images
# towards the same means and variances. (It comes from DeepInversion. It is not part of RDSKD.) The lab starts with a
# generator that has already trained for 600 steps. Press **Play**, switch `bn` off, and watch the digits for about a
# hundred steps.

# %% tags=["not-banded"]
from rdskd_lab.lab import Lab

readable = Lab("rdskd+bn", seed=lesson.seed, device=lesson.device, steps=1, only="bn", learn=False)
readable.example("readable")
readable

# %% [markdown]
# ## What to remember
#
# * A generator makes images from random latents. Its last BatchNorm gives them the scale of normalised data.
# * The teacher judges an image by the answer it gives. The gradient of this judgement can change the pixels, or the weights of the
#   generator that made them.
# * Certain does not mean realistic. If you change noise by a quarter of its spread, the teacher can call it a 3 with
#   a probability of nearly 1.
# * With a prior, the images look like something, but they are all alike. Variety needs a loss of its own.
#
# ## The paper, the code, and what we measured
#
# * **Released code**: this is the generator of DAFL and RDSKD, with $\epsilon = 0.8$ and doubling by repeated pixels.
#   Theirs is eight times as wide. Optimising images by gradient with total variation is taken from DeepInversion,
#   which adds the prior from BatchNorm statistics. (The first teacher of this notebook has no BatchNorm.)
# * **Measured here**: the teacher's answers to noise, blots and digits, and how similar inverted images are. The
#   ranges over ten seeds are given above.
# * **Where they differ**: DeepInversion's published settings use 2,000 steps, different weights and random shifts.
#   Ours are the smallest that demonstrate the point, so our pictures do not show how good that method can be.
#   Notebook 10 compares methods.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | BatchNorm | a layer that gives each channel mean 0 and variance 1; in training mode, they are computed over the batch and all pixels |
# | normalised data | pixels minus the data's mean, divided by its standard deviation: what the teacher was trained on |
# | blots | our name for the images of an untrained generator |
# | model inversion | using the gradient with respect to the input to find an input for which a network gives a chosen answer |
# | prior | what we know about images before we ask a network |
# | total variation | how much neighbouring pixels differ, added up |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
