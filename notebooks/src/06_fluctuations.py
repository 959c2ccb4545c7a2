# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 06 Fluctuations: measuring a conflict
#
# **Goal.** Say in a number how much a loss goes up and down while a generator learns, tell that from the noise of
# sampling, and find out whether two losses really work against each other.
#
# **Time.** About 25 minutes, of which 10 seconds are computing (two CPU cores).
#
# **The question.** Authenticity and class diversity are said to conflict, and the conflict to make the losses fluctuate.
# Curves of losses do look restless. But a loss of a *random batch* is restless by itself. What is what?

# %%
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab import torch_state
from rdskd_lab.course import begin
from rdskd_lab.evaluation import image_quality
from rdskd_lab.reporting import charts

lesson = begin("06_fluctuations")
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])

# %% [markdown]
# ## What a fluctuation is
#
# Losses $L_1, \dots, L_n$, one after each step. The **fluctuation** is the mean positive increment per step,
#
# $$F = \frac{1}{n-1} \sum_{i=1}^{n-1} \max(0,\, L_{i+1} - L_i) \quad\text{in the unit of the loss, per step.}$$
#
# A loss that only falls has $F = 0$, however fast it falls.
#
# *Predict before you run: a loss that is nothing but noise, each value drawn anew from a normal distribution with standard
# deviation* $\sigma$*. Is its F nearer to 0, to* $\sigma / 2$ *or to* $2 \sigma$*?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
losses = torch.tensor([1.0, 0.8, 0.9, 0.7, 0.75], dtype=torch.float64)
by_hand = losses.diff().clamp_min(0).mean()  # (0 + 0.1 + 0 + 0.05) / 4
print(f"by hand {by_hand:.4f}   the package's {image_quality.fluctuation(losses.tolist()):.4f}")

noise = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
F = image_quality.fluctuation(noise.tolist())
print(f"noise with sigma 1: F = {F:.4f}   1 / sqrt(pi) = {torch.pi**-0.5:.4f}")

# %% [markdown]
# The difference of two such values has standard deviation $\sigma\sqrt2$, and the mean of the positive part of a normal
# variable is its standard deviation by $\sqrt{2\pi}$: together $F = \sigma / \sqrt\pi = 0.564\,\sigma$. **Noise fluctuates without
# any conflict.**
#
# ### Exercise 1: the mean rise per step
#
# Write $F$ of a row of losses.

# %% tags=["exercise-1"]
def mean_rise(losses):
    """Mean positive increment per step of losses (n,) -> (): falls count as 0."""
    ...


lesson[1].check(mean_rise)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## The noise floor
#
# A generator that does *not* learn, and fresh latents each time: whatever the losses do now is sampling noise. $F$ of that is
# the **noise floor**.
#
# *Predict before you run: the batch gets four times as large, and four times again. What happens to the floor?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
settings = replace(lab.PRESETS["classroom"], generator_steps=150, width=8, batch_size=32)
settings = replace(settings, pooled=False)


def start():
    """A run on the plain sum oh + ie, before its first step; no damping, no ds."""
    objective = lab.rdskd()
    for name, term in objective.items():
        term.damped, term.on = False, name in ("oh", "ie")
    student = lab.seeded(lesson.seed, lab.LeNet5Half)  # it does not learn here
    return lab.Distillation(teacher, student, objective, settings, seed=lesson.seed)


run = start()
sizes = (8, 32, 128)
probes = [image_quality.Probe(run.teacher, run.generator, run.objective, n=n) for n in sizes]
floors = [probe.floor(draws=30) for probe in probes]
at = np.arange(len(sizes))
oh, ie = (np.array([floor[name] for floor in floors]) for name in ("oh", "ie"))
charts.Curves(
    "noise floor of an untrained generator",
    [charts.Line("oh", at, oh, 0, "dots"), charts.Line("ie", at, ie, 1, "dots")],
    "images in a batch", "nats per step", log=True, ticks=[str(n) for n in sizes],
)  # fmt: skip

# %% [markdown]
# The mean of $N$ images has a standard deviation that goes as $1/\sqrt N$, so four times the batch halves the floor. At the
# batch of 32 that trains here it is about 0.03 nats per step for `oh`: remember that number.
#
# ### Exercise 2: the floor of sampling noise
#
# `measure(z)` gives the loss of latents $z$, `draw()` gives fresh ones. Write $F$ of `draws` measurements, each of a batch of its
# own.

# %% tags=["exercise-2"]
def noise_floor(measure, draw, draws):
    """Fluctuation of measure(z) -> number over `draws` batches of fresh latents z = draw()."""
    ...


lesson[2].check(noise_floor)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## The fixed probe
#
# To see what the *generator* does, take the noise away: the same latents after every step, the **probe batch**. Looking must
# change nothing: no random number drawn from the run, no running statistic of a BatchNorm moved.
#
# ### Exercise 3: a look that changes nothing
#
# Write a function that gives the images of $z$ as training would see them and leaves the generator as it was.

# %% tags=["exercise-3"]
def look(generator, z):
    """The images of z (N, Z) as training would see them; the generator stays as it was."""
    ...


lesson[3].check(look)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# The package's piece is `image_quality.Probe`. Now the generator learns, on `oh + ie` with nothing to calm them, and after each of
# 150 steps we note the losses twice: of the batch that it learned from, and of the probe.
#
# *Predict before you run: F of the training batches was made of noise and learning. How large is F on the probe, in percent
# of it?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
run = start()  # anew, so that this cell can be run again
probe = image_quality.Probe(run.teacher, run.generator, run.objective, n=64, seed=1000)


def angle(run, z):
    """Cosine of the gradients of oh and ie by the generator's weights, on the latents z."""
    parameters = list(run.generator.parameters())
    slopes = []
    with torch_state.buffers_kept(run.generator), torch_state.frozen(run.teacher):
        logits = run.teacher(run.generator(z))
        for loss in (lab.one_hot(logits), lab.information_entropy(logits)):
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
            slopes.append(torch.cat([g.flatten() for g in gradients]))
    return float(torch.cosine_similarity(*slopes, dim=0))


trained, probed, cosines = [], [probe.measure()], [angle(run, probe.z)]
for step in run.synthesise():
    trained.append(step.raw)
    probed.append(probe.measure())
    if (step.i + 1) % 5 == 0:
        cosines.append(angle(run, probe.z))
floor = image_quality.Probe(run.teacher, run.generator, run.objective, n=32).floor(draws=30)

# %%
steps, terms = np.arange(len(trained)), ("oh", "ie")
panels = []
for name in terms:
    lines = [
        charts.Line("training batch", steps, np.array([row[name] for row in trained]), 1),
        charts.Line("probe", steps, np.array([row[name] for row in probed[1:]]), 0),
    ]
    panels.append(charts.Curves(charts.describe(name).name, lines, ylabel="nats"))
charts.Panels("the same generator, measured on its training batches and on a fixed probe", panels)

# %%
measured = {
    "training batches": [image_quality.fluctuation([row[name] for row in trained]) for name in terms],
    "frozen generator": [floor[name] for name in terms],
    "fixed probe": [image_quality.fluctuation([row[name] for row in probed[1:]]) for name in terms],
}
at = np.arange(len(measured))
lines = [
    charts.Line(name, at, np.array([values[k] for values in measured.values()]), k, "dots")
    for k, name in enumerate(terms)
]
charts.Curves(
    "how much is noise, how much is the generator", lines, "", "nats per step", log=True, ticks=list(measured)
)

# %%
of_training = np.array(measured["fixed probe"]) / np.array(measured["training batches"])
lesson.band("F on the probe, as a share of F on training batches, oh", of_training[0], "%", look_at="lr")
lesson.band("F on the probe, as a share of F on training batches, ie", of_training[1], "%", look_at="lr")

# %% [markdown]
# What looked like a restless training is, for the most part, the restlessness of random batches: the floor of a frozen
# generator is nearly as high. What the generator itself does shows on the probe and is several times smaller. (Noise and
# learning do not simply add: independent parts add in squares.)
#
# That `ie` is *lower* on the probe has another reason. The probe has 64 images, a training batch 32, and a mean answer
# of more images is more even: one and the same generator gave -2.17 nats in batches of 32 and -2.23 in batches of 64
# (means of 40).
#
# **So: a figure of fluctuating training losses, as papers show them, says little about a conflict.** Ask for the floor, or
# for a fixed probe.
#
# ## Is there a conflict?
#
# Two ways to look. The **cosine** of the two gradients on the probe, every 5 steps: below 0, a step down one is a step up
# the other. And the **increments** on the probe: in how many steps does one loss rise while the other falls?
#
# *Predict before you run: is the cosine below 0 always, mostly, or half of the time?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %%
at = 5 * np.arange(len(cosines))
charts.Curves(
    "do oh and ie pull together?", [charts.Line("cosine of their gradients", at, np.array(cosines), 0)],
    ylabel="cosine", level=(0.0, "0: at right angles"),
)  # fmt: skip

# %%
rises = np.diff([[row[name] for name in terms] for row in probed], axis=0) > 0
opposed = 100 * float((rises[:, 0] != rises[:, 1]).mean())
lesson.band("mean cosine of the two gradients", float(np.mean(cosines)), "", 2, "the figure above")
print(f"one rises and the other falls in: yours {opposed:.0f} % of the steps")

# %% [markdown]
# If the two had nothing to do with each other, one would rise and the other fall in about half of the steps, and the
# cosine would be about 0.
#
# What we see: the cosine jumps about and its mean is small. With each of our ten stored seeds the mean was below 0 (yours
# stands above). The increments are opposed in about half of the steps. So there is a pull against each other, and at this scale it is a weak one. The price that 04
# found is another matter: it says *where* training ends, and shows as no fight in each step.
#
# ## What to remember
#
# * A fluctuation is the mean rise per step. Say on which batch: on fresh batches it is almost only sampling noise, on a
#   fixed probe it is the generator's own.
# * Put every such number beside the floor of a frozen generator. Noise alone gives $0.56\,\sigma$.
# * A look must change nothing: training mode, buffers put back, a random generator of its own.
# * Two losses conflict where the cosine of their gradients is below 0. Measure it, on the same latents.
#
# ## The paper, the code, and what we measured
#
# * *Paper.* Its abstract says that authenticity and class diversity often conflict, causing frequent fluctuations of the
#   losses. We have not read its body and do not know on which batches its losses were taken.
# * *Code.* The released code logs the losses of the training batches, 512 fresh images each.
# * *Measured* (ten seeds, the bands above; width 8, batches of 32, 150 steps, no damping). On the probe the fluctuation of
#   `oh` and `ie` is a fraction of that on training batches, which hardly differs from a frozen generator's. The mean cosine
#   of the two gradients is slightly below 0 with all ten stored seeds. Larger networks, colour images and long runs: not measured.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | increment | the change of a loss from one step to the next |
# | fluctuation $F$ | mean positive increment per step, in the unit of the loss |
# | noise floor | $F$ of a generator that does not learn, with fresh latents each time |
# | probe batch | latents drawn once, on which the generator is measured again and again |
# | sampling noise | a loss of a random batch differs from that of the next one |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
