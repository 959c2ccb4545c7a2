# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 06 Inter-sample diversity: images that differ
#
# **Goal.** Write two losses that reward images that differ. Find the trap in the published form of one of them.
# Measure how hard each loss pulls, compared with the others.
#
# **Time.** About 35 minutes, of which 20 seconds are computing (two CPU cores).
#
# **The question.** With `oh` and `ie`, the teacher is sure of each image, and a batch contains all classes. But the
# generator could still make the same ten pictures, one of each class, again and again. A student needs more than ten
# pictures. Which loss detects this problem?

# %%
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab import torch_state
from rdskd_lab.course import begin, sheet
from rdskd_lab.evaluation.image_quality import distance
from rdskd_lab.lab import Lab
from rdskd_lab.losses import mode_seeking
from rdskd_lab.reporting import charts

lesson = begin("06_inter_sample_diversity")
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])

# %% [markdown]
# ## Two losses for images that differ
#
# Both losses look at **pairs**: image $i$ of the first half of the batch, and image $i$ of the second half. A pair has three
# distances: between the latents $z^1, z^2$, between the images $x^1, x^2$, and between the teacher's answers $P^1, P^2$.
#
# * **Mode seeking** (from MSGAN, also used by MSKD): different latents should give different images,
#   $$L_{MS} = \frac{1}{\;\overline{|x^2 - x^1|} \,/\, \overline{|z^2 - z^1|}\;}.$$
#   The bars are means of absolute differences, taken over all entries in one half of the batch.
# * **Diversity seeking** (RDSKD): images should differ more than the teacher's answers to them do,
#   $$L_{DS} = \frac{\lVert P^2 - P^1 \rVert}{\lVert x^2 - x^1 \rVert}.$$
#   These are 2-norms over *all* entries in half a batch: $\tfrac N2 \times K$ probabilities in the numerator, and $\tfrac N2 \times C \times S \times S$ pixels in the denominator ($C$ channels, $S$ pixels in height and width). So the loss is one number divided by one number, and not a quotient for each pair.
#
# *Predict before you run: a generator makes `N = 64` grey images of 32 x 32 pixels. The pixels have mean 0 and variance 1. Is*
# $L_{DS}$ *near 1, near 0.1 or near 0.01? And* $L_{MS}$*?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
flat_teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
flat_teacher = flat_teacher.double().eval().requires_grad_(False)
generator = lab.seeded(0, lab.Generator, width=4).double()
z = torch.randn(64, 100, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

x = generator(z)  # (64, 1, 32, 32)
logits = flat_teacher(x)  # (64, 10)
probs = logits.softmax(1)
(x1, x2), (p1, p2), (z1, z2) = x.chunk(2), probs.chunk(2), z.chunk(2)

answers, pixels = (p2 - p1).norm(), (x2 - x1).norm()
ds = answers / pixels
ms = 1 / ((x2 - x1).abs().mean() / (z2 - z1).abs().mean())
print(f"answers {answers:.4f}   pixels {pixels:.4f}   L_DS {ds:.4f}   L_MS {ms:.4f}")
print("the package's agree:", torch.allclose(ds, lab.diversity_seeking(x, probs)), end=" ")
print(torch.allclose(ms, mode_seeking(x, z), rtol=1e-4))

# %% [markdown]
# $L_{DS}$ is small by construction. The generator's last BatchNorm gives the pixels variance 1. If the two images of
# a pair have little in common, $\lVert x^2 - x^1 \rVert$ is near $\sqrt{N C S^2} = \sqrt{64 \cdot 1024} = 256$. Two
# rows of probabilities are at most $\sqrt 2$ apart, so $\lVert P^2 - P^1 \rVert \le \sqrt N = 8$. So the quotient
# cannot be much larger than $1/\sqrt{C S^2} = 0.031$, whatever the batch size. For larger images it is smaller still.
#
# ### Exercise 1: the diversity-seeking loss from scratch
#
# Write $L_{DS}$ for a batch of images and the teacher's probabilities.

# %% tags=["exercise-1"]
def diversity(images, probs):
    """L_DS of images (N, C, S, S) and probs (N, K) -> (): one norm by one norm, over all pairs."""
    ...


lesson[1].check(diversity)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## The trap
#
# The released code writes the same number with two divisions: `1 / (pixels / answers + 1e-20)`.
#
# *Predict before you run: a generator has collapsed, and the teacher gives exactly the same answer to both images of
# each pair. What is the value of the loss? What is its gradient?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
def published(answers, pixels):
    """1 / (|x2 - x1| / |P2 - P1| + 1e-20) of the two differences."""
    return 1 / (pixels.norm() / answers.norm() + 1e-20)


def direct(answers, pixels):
    """|P2 - P1| / (|x2 - x1| + 1e-8)."""
    return answers.norm() / (pixels.norm() + 1e-8)


cases = {"ordinary": (1, 1), "same answers": (0, 1), "same answers and images": (0, 0)}
for name, (a, b) in cases.items():
    for form in (published, direct):
        d_answers = (a * (p2 - p1)).detach().requires_grad_()
        d_pixels = (b * (x2 - x1)).detach().requires_grad_()
        loss = form(d_answers, d_pixels)
        slope = torch.autograd.grad(loss, d_answers)[0].norm()
        print(f"{name:24} {form.__name__:9}  loss {loss:7.4f}   its gradient's length {slope:.4f}")

# %% [markdown]
# The value looks harmless: it is 0. But the gradient is NaN, and one step later every weight is NaN. Why? Write
# $\lVert x \rVert$ and $\lVert P \rVert$ for the two norms, and let $u = \lVert x \rVert / \lVert P \rVert$, so the
# loss is $1/u$. If $\lVert P \rVert = 0$, then $u$ is infinite and $1/u = 0$. In the backward pass, $-1/u^2 = 0$ is
# multiplied by $\partial u / \partial \lVert P \rVert = -\infty$, and $0 \cdot \infty$ is NaN. The package avoids
# this by dividing only once.
#
# ### Exercise 2: the quotient without the trap
#
# Write $\lVert a \rVert / \lVert b \rVert$ so that the value and the gradient are finite, even if $a$, $b$ or both
# are 0.

# %% tags=["exercise-2"]
def safe_quotient(a, b):
    """|a| / |b| of two tensors -> (); value and gradient finite where a, b or both are 0."""
    ...


lesson[2].check(safe_quotient)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## How hard does it pull?
#
# A generator that minimises $L_{OH} + L_{IE} + L_{DS}$ follows the *gradients*, not the values. We now compute the
# lengths of the gradients with respect to the generator's weights. The quotient rule splits the gradient of $L_{DS}$
# into two parts: one changes the answers, and the other changes the pixels.
#
# $$\nabla L_{DS} = \underbrace{\frac{\nabla \lVert P^2 - P^1 \rVert}{\lVert x^2 - x^1 \rVert}}_{\text{answers nearer}}
# \;\underbrace{-\; L_{DS}\, \frac{\nabla \lVert x^2 - x^1 \rVert}{\lVert x^2 - x^1 \rVert}}_{\text{images apart}}$$
#
# *Predict before you run: how many times harder does `oh` pull than `ds`? And which of the two parts of `ds` pulls
# harder: the part that we want, "images apart", or the other one?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
parameters = list(generator.parameters())


def slope(loss):
    """The loss's gradient by all weights of the generator, as one vector."""
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    return torch.cat([g.flatten() for g in gradients])


slopes = {
    "oh": slope(lab.one_hot(logits)),
    "ie": slope(lab.information_entropy(logits)),
    "ms": slope(ms),
    "ds": slope(ds),
    "ds: answers nearer": slope(answers / pixels.detach()),
    "ds: images apart": slope(answers.detach() / pixels),
}
loud = {name: float(s.norm()) for name, s in slopes.items()}
for name, length in loud.items():
    with_oh = torch.cosine_similarity(slopes[name], slopes["oh"], dim=0)
    print(f"{name:20} {length:8.4f}   cosine with oh {with_oh:+.4f}")

# %%
lengths = np.array(list(loud.values()))
line = charts.Line("length of the gradient", np.arange(len(loud)), lengths, 0, "dots")
charts.Curves(
    "how hard each loss pulls (untrained generator)", [line], "", "gradient's length", log=True,
    ticks=[name.replace(": ", ":\n") for name in loud],
)  # fmt: skip

# %% [markdown]
# The pull of `ds` is tens of times weaker than that of `oh`. And nearly all of it makes the *answers* more alike. The
# part that makes the *images* differ is small. There is a reason for this. BatchNorm fixes the variance of the
# pixels, so the denominator can hardly grow. The easy way to a small quotient is a small numerator. But a small
# numerator works against `oh`: sure answers of different classes are as far apart as answers can be. So "answers
# nearer" means less sure, or fewer classes.
#
# ### Exercise 3: how hard a loss pulls
#
# `first` and `second` are functions of a tensor `x`, and each returns a loss. How many times harder does the first
# pull on `x` than the second? Divide the lengths of their gradients with respect to `x`.

# %% tags=["exercise-3"]
def louder(first, second, x):
    """How many times as long as the gradient of second(x) that of first(x) is, both by x."""
    ...


lesson[3].check(louder)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# ## What does it do?
#
# Now we train five generators from the same weights, for 150 steps each. All minimise $L_{OH} + L_{IE}$. The first
# adds nothing to this sum. Three add `ds`, with weights 1 (as published), 30 and 300. The last adds `ms` with weight
# 1.
#
# *Predict before you run: in which of the five runs do the images end furthest apart? In which do the teacher's
# answers end closest together?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %%
def train(ds=0.0, ms=0.0, steps=150):
    """Train a generator on L_OH + L_IE + ds L_DS + ms L_MS, undamped; the finished run."""
    objective = lab.rdskd()
    objective["ms"] = lab.Term(lambda batch: mode_seeking(batch.images, batch.z), weight=ms)
    objective["ds"].weight = ds
    for term in objective.values():
        term.damped, term.on = False, term.weight > 0
    settings = replace(lab.PRESETS["classroom"], generator_steps=steps, width=8, batch_size=32)
    settings = replace(settings, pooled=False)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)  # it does not learn here
    run = lab.Distillation(teacher, student, objective, settings, seed=lesson.seed, device=lesson.device)
    for _ in run.synthesise():
        pass
    return run


def look(run):
    """500 fresh images: their mean distance, and that of the teacher's answers, over all pairs."""
    with torch.no_grad(), torch_state.buffers_kept(run.generator):
        images = run.generator(run.generator.latents(500, torch.Generator().manual_seed(5)))
        answers = run.teacher(images).softmax(1)
    return distance(images.cpu()), distance(answers.cpu())


asked = {"nothing": {}, "ds x 1": {"ds": 1}, "ms x 1": {"ms": 1}}
runs = {name: train(**which) for name, which in asked.items()}
found = {name: look(run) for name, run in runs.items()}
apart, look_at = {name: images for name, (images, _) in found.items()}, "which terms are on?"
lesson.band("distance of images, nothing", apart["nothing"], "pixel units", 1, look_at)
lesson.band("distance of images, ds x 1", apart["ds x 1"], "pixel units", 1, look_at)
lesson.band("distance of images, ms x 1", apart["ms x 1"], "pixel units", 1, look_at)

# %% tags=["not-banded"]
runs |= {"ds x 30": train(ds=30), "ds x 300": train(ds=300)}
runs = {name: runs[name] for name in ("nothing", "ds x 1", "ds x 30", "ds x 300", "ms x 1")}
found = {name: look(run) for name, run in runs.items()}
at = np.arange(len(found))
of_images, of_answers = np.array(list(found.values())).T


def dots(title, values, style):
    """One dot per run."""
    line = charts.Line(title, at, values, style, "dots")
    return charts.Curves(title, [line], "added to oh and ie", ticks=list(found))


charts.Panels(
    "what the two losses change",
    [dots("distance of two images", of_images, 0), dots("distance of two answers", of_answers, 1)],
)

# %% [markdown]
# With weight 1, `ds` changes nothing that we can see. With weight 300, it takes the easy way: all answers become
# alike, so $\lVert P^2 - P^1 \rVert$ is nearly 0, and so is the loss. With one seed, the teacher then saw a single
# class and was sure of it. With another seed, it was undecided about every image. The images are nearly as far apart
# as before (note the scale of the left figure), but to the teacher they are all the same. The loss for diversity has
# made the answers collapse. Mode seeking has no such easy way: its other distance is that between the latents, which
# no weight of the generator can change.
#
# How far apart can images be? With mean 0 and variance 1 in 1,024 pixels, two images with nothing in common are
# $\sqrt{2 \cdot 1024} = 45.3$ apart. Distances below this value show that the images share a common pattern.
#
# Here are images from the same latents:

# %%
test = lab.load_data("digits", "test")
ends = {name: run.picture() for name, run in runs.items() if name != "ds x 30"}
sheet(ends | {"real digits": test.normalise(test.images[::100])}, teacher, most=10)

# %% [markdown]
# ## In the lab
#
# Of the three cards, the screen here shows only *Sample diversity*. Press **Play**, wait for 100 steps, switch this
# loss off, and wait for another 300 steps. What does the lab say about the difference? Then switch it on again and
# set its weight to 100.

# %% tags=["not-banded"]
Lab(seed=lesson.seed, device=lesson.device, steps=40, only="ds", learn=False)

# %% [markdown]
# ## What to remember
#
# * A pair is one image from each half of a batch. `ds` is one norm divided by another. Norms over different numbers
#   of entries have different scales, so look at the *gradient* of a loss before you add the loss to others.
# * A loss may have an easy way down that nobody intended. Split its gradient into parts and see which part pulls
#   hardest.
# * If a number can be 0, divide by it only once, and add a small number to it first. A NaN cannot be repaired later,
#   so it must never arise.
#
# ## The paper, the code, and what we measured
#
# * *Code.* RDSKD: `1 / (pixels / answers + 1e-20)`, with both norms over half a batch, added with weight 1 and
#   without damping. MSGAN's term uses means of absolute differences and adds 1e-5. We know of no released code for
#   MSKD. Our version adds MSGAN's term to DAFL's losses.
# * *Paper.* We have read its abstract only. It names inter-sample diversity as one of its three aims.
# * *Measured.* With the MNIST teacher, the published `ds` pulls at least 50 times less than `oh`, and more than nine
#   tenths of its pull brings answers nearer. With weight 1, the mean distance between images is as large
#   as without `ds`: it stays within the range of ten seeds that is printed above. With weight 300, the answers collapsed with both
#   seeds that we tried. Mode seeking with weight 1 moves images further apart. This does not show what it does for a
#   *student*, or for colour images; we did not measure either here.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | inter-sample diversity | how much images differ from each other, even within a class |
# | mode seeking | rewarding different images for different latents |
# | diversity seeking | rewarding images that differ more than the teacher's answers to them |
# | pull | the length of a loss's gradient: how strongly the loss changes the weights |
# | 2-norm $\lVert a \rVert$ | the square root of the sum of squares over all entries |
# | NaN | "not a number": the result of $0/0$ or $0 \cdot \infty$. It spreads to every number that is computed from it |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
