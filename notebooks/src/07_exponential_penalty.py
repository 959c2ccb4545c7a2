# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 07 The exponential penalty: damping as a gain
#
# **Goal.** Understand RDSKD's penalty on increments as a *gain* on a gradient, try every rule for its anchor, and measure,
# with several seeds, what it changes.
#
# **Time.** About 25 minutes, of which 30 seconds are computing (two CPU cores).
#
# **The question.** RDSKD does not add the losses `oh` and `ie`, it adds their *exponentials*, so that a loss that has risen
# is asked for more. Does that calm anything? Notebook 06 has made the instruments: the fixed probe, and its fluctuation.

# %%
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin
from rdskd_lab.evaluation import image_quality
from rdskd_lab.reporting import charts

lesson = begin("07_exponential_penalty")
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])

# %% [markdown]
# ## A gain on a gradient
#
# Instead of a loss $L$ descend $e^{L - a}$, where the **anchor** $a$ is an earlier value of the same loss: a number, not a
# function of the weights $\theta$. Then
#
# $$\nabla_\theta\, e^{L - a} = \underbrace{e^{L - a}}_{\text{gain}} \nabla_\theta L.$$
#
# The direction is that of $L$. Only the length changes: the **gain** is 1 at the anchor, more above it, less below.
#
# *Predict before you run: by how many nats must a loss rise above its anchor for the gain to double?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
theta = torch.tensor([0.6, -0.8], dtype=torch.float64, requires_grad=True)  # (2,)   any weights
loss = theta.square().sum()  # L = 1 nat, its gradient is 2 theta
(plain,) = torch.autograd.grad(loss, theta, retain_graph=True)
for rise in (-1.0, 0.0, 0.6931, 1.0):
    anchor = loss.item() - rise
    (slope,) = torch.autograd.grad((loss - anchor).exp(), theta, retain_graph=True)
    gain = slope.norm() / plain.norm()
    print(f"L - a = {rise:7.4f}   gain {gain:.4f}   exp(L - a) {np.exp(rise):.4f}")

# %% [markdown]
# A rise of $\ln 2 = 0.69$ nats doubles it. Keep that beside what 06 found: a generator of this size rises by some
# thousandths of a nat per step. **An anchor that is one step old gives a gain of 1, almost.**
#
# ### Exercise 1: the damped loss
#
# Here the anchor comes as a tensor, as it does when somebody keeps the last loss. Mind what flows through it.

# %% tags=["exercise-1"]
def damped(loss, anchor):
    """exp(L - a) of a loss () and an anchor () -> ()."""
    ...


lesson[1].check(damped)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## Where the anchor stands
#
# What is "an earlier value"? The paper speaks of increments; the released code does something of its own. Rules, each told
# the step $i$, the loss in it and the anchor until now:
#
# | rule | the anchor after step $i$ | from |
# |---|---|---|
# | `epoch` | 0 at first; then the loss of the second step of every 120 | the released code |
# | `previous` | the loss of the step before | the plainest reading of "increments" |
# | `average` | a moving average that forgets over about 50 steps | ours |
# | `none` | no damping: the plain sum | for comparison |
#
# *Predict before you run: a loss falls smoothly from 2 to 0.3 over 240 steps, and jumps up by 0.5 at step 150 for 20 steps.
# Under which rule is the jump answered by a gain above 1? For how long?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
i = np.arange(240)
made_up = 0.3 + 1.7 * np.exp(-i / 60) + 0.5 * ((i >= 150) & (i < 170))


def gains(rule):
    """exp(L - a) of the made-up loss at each step, with the anchor in force in that step."""
    anchor, found = 0.0, []
    for step, value in enumerate(made_up):
        found.append(np.exp(value - anchor))
        anchor = rule(step, value, anchor)
    return np.array(found)


def ours(step, value, anchor):
    """The published rule, written out."""
    return value if step % 120 == 1 else anchor


print("ours is the package's:", bool((gains(ours) == gains(lab.ANCHORS["epoch"])).all()))
for name, rule in lab.ANCHORS.items():
    g = gains(rule)
    print(f"{name:9} gain at step 0 {g[0]:.4f}, 149 {g[149]:.4f}, 150 {g[150]:.4f}, 160 {g[160]:.4f}")

# %%
rules = lab.ANCHORS.items()
lines = [charts.Line(name, i, gains(rule), k) for k, (name, rule) in enumerate(rules)]
charts.Panels(
    "a made-up loss, and the gain that each rule gives it",
    [
        charts.Curves("the loss", [charts.Line("loss", i, made_up, 3)], ylabel="nats"),
        charts.Curves("the gains", lines, ylabel="gain", log=True, level=(1.0, "at the anchor")),
    ],
)

# %% [markdown]
# Three different things bear one name. `previous` answers the jump for a single step, and is 1 otherwise. `average` answers
# it for as long as the average needs to follow. `epoch` compares with the start of the epoch: in an epoch in which the
# loss falls far it asks for less and less, jump or not, and at the next anchor the gain leaps back to 1. All but `none`
# start with a gain of $e^{L}$, since the first anchor is 0.
#
# ### Exercise 2: the published anchor
#
# Write the rule `epoch`: the anchor is 0 at first and taken once per 120 steps, at the second of them.

# %% tags=["exercise-2"]
def next_anchor(i, loss, anchor):
    """The anchor after step i = 0, 1, 2 ..., given that step's loss and the anchor until now."""
    ...


lesson[2].check(next_anchor)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## A fair comparison
#
# A damped term also has *another weight*: if its gain is 0.8 on average, it was asked for less all along. Whoever compares
# damping with the plain sum compares two things at once. So there is a third arm: the plain sum with **constant weights**,
# each term's equal to the mean gain that it had under the published rule.
#
# ### Exercise 3: the constant weight to compare with
#
# Given the losses of a run and the anchor that was in force in each step, give that weight.

# %% tags=["exercise-3"]
def constant_weight(losses, anchors):
    """The mean gain of a run, losses (n,) and the anchors in force (n,) -> ()."""
    ...


lesson[3].check(constant_weight)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# ## Before and after
#
# The same generator, the same latents, 100 steps of 32 images; after each step all terms are measured on a fixed probe.
#
# *Predict before you run: F on the probe under the published rule, divided by F under the plain sum. Is it near 0.1, near
# 0.5, near 1, or above?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
def train(rule, seed, constant=None, steps=100):
    """oh and ie on the probe before and after each step (steps + 1, 2), and gains (steps, 2)."""
    objective = lab.rdskd()
    lab.use_anchor(objective, rule)
    for name, weight in (constant or {}).items():
        objective[name].weight = weight
    settings = replace(lab.PRESETS["classroom"], generator_steps=steps, width=8, batch_size=32)
    settings = replace(settings, pooled=False)
    student = lab.seeded(seed, lab.LeNet5Half)  # it does not learn here
    run = lab.Distillation(teacher, student, objective, settings, seed=seed)
    probe = image_quality.Probe(run.teacher, run.generator, objective, n=64, seed=1000)
    probed, gain = [probe.measure()], []
    for step in run.synthesise():
        probed.append(probe.measure())
        gain.append(step.gain)
    return {name: np.array([[row[term] for term in ("oh", "ie")] for row in rows])
            for name, rows in (("probe", probed), ("gain", gain))}  # fmt: skip


def fluctuations(run):
    """F of oh and of ie on the probe, in nats per step."""
    return np.array([image_quality.fluctuation(list(column)) for column in run["probe"].T])


def compare(seed, rules=("none", "epoch")):
    """Runs from one seed under each rule, and one with constant weights."""
    runs = {rule: train(rule, seed) for rule in rules}
    weight = dict(zip(("oh", "ie"), runs["epoch"]["gain"].mean(0), strict=True))
    return runs | {"constant": train("none", seed, weight)}


first = compare(lesson.seed)
published, plain, constant = (fluctuations(first[arm]) for arm in ("epoch", "none", "constant"))
look_at = "the spread between seeds"
lesson.band("F(oh), published rule by plain sum", published[0] / plain[0], "", 2, look_at)
lesson.band("F(ie), published rule by plain sum", published[1] / plain[1], "", 2, look_at)
lesson.band("F(ie), published rule by constant weights", published[1] / constant[1], "", 2, look_at)

# %% [markdown]
# 1 would mean that nothing changed. One seed says little; look at how wide the bands are, and on which side of 1 they lie.
# Before the other rules, the gains that were in force:

# %%
steps = np.arange(len(first["epoch"]["gain"]))
gain = first["epoch"]["gain"]
lines = [charts.Line(f"gain of {name}", steps, gain[:, k], k) for k, name in enumerate(("oh", "ie"))]
charts.Curves(
    "gains under the published rule", lines, ylabel="gain", log=True,
    level=(1.0, "gain 1: the loss is at its anchor"),
)  # fmt: skip

# %% [markdown]
# For two steps the anchors are 0: `ie`, which is negative, gets a gain of about 0.2, `oh` a gain above 1. Then both are
# anchored at their value of the second step. `ie` goes on falling towards $-\ln 10$, so its gain settles below 1. That is a
# weight, not a damper.
#
# Now all rules, three seeds.

# %% tags=["not-banded"]
rules = ("none", "epoch", "previous", "average")
seeds = [lesson.seed, lesson.seed + 1, lesson.seed + 2]
others = {seeds[0]: first | {rule: train(rule, seeds[0]) for rule in rules[2:]}}
others |= {seed: compare(seed, rules) for seed in seeds[1:]}
arms = (*rules, "constant")
at = np.arange(len(arms))


def dots(title, value):
    """A dot per rule and seed; `value` of a run."""
    lines = []
    for k, seed in enumerate(seeds):
        found = np.array([value(others[seed][arm]) for arm in arms])
        lines.append(charts.Line(f"seed {seed}", at, found, k, "dots"))
    return charts.Curves(title, lines, "rule of the anchor", ticks=list(arms))


charts.Panels(
    "damping, three seeds",
    [
        dots("F(oh) on the probe", lambda run: fluctuations(run)[0]),
        dots("F(ie) on the probe", lambda run: fluctuations(run)[1]),
        dots("oh at the end", lambda run: run["probe"][-20:, 0].mean()),
        dots("ie at the end", lambda run: run["probe"][-20:, 1].mean()),
    ],
)

# %% [markdown]
# Look at the spread of the seeds before you compare two rules: most rules lie inside it.
#
# ## More seeds, and where it might matter
#
# Three seeds are few. The table has ten, an anchor that stays at 0, and two settings in which fluctuations should
# matter more: steps four times as large (lr), and batches of 8. $F$ is in 0.001 nats per step on the probe, mean ±
# standard deviation over the seeds (`benchmarks/damping.py`, `results/damping.md`).
#
# | anchor | F(oh) | F(ie) | `oh` at the end | `ie` at the end |
# |---|---|---|---|---|
# | **lr 0.016, batch 32** | | | | |
# | `none`: plain sum | 5.4 ± 0.7 | 3.0 ± 1.2 | 0.23 ± 0.03 | -2.18 ± 0.04 |
# | `epoch`: published | 5.2 ± 0.7 | 4.3 ± 2.3 | 0.23 ± 0.03 | -2.09 ± 0.07 |
# | constant weights | 5.6 ± 0.7 | 3.7 ± 1.4 | 0.23 ± 0.03 | -2.11 ± 0.05 |
# | `previous` | 5.1 ± 1.0 | 3.8 ± 1.2 | 0.22 ± 0.02 | -2.17 ± 0.05 |
# | `average` | 5.4 ± 1.1 | 3.8 ± 1.5 | 0.24 ± 0.03 | -2.17 ± 0.04 |
# | 0, never moved | 4.4 ± 0.5 | 7.7 ± 1.9 | 0.18 ± 0.02 | -1.73 ± 0.10 |
# | **lr 0.064, batch 32** | | | | |
# | `none`: plain sum | 6.5 ± 1.0 | 4.4 ± 1.9 | 0.27 ± 0.03 | -2.15 ± 0.04 |
# | `epoch`: published | 6.1 ± 0.6 | 4.9 ± 1.9 | 0.25 ± 0.02 | -2.09 ± 0.05 |
# | constant weights | 5.8 ± 0.8 | 4.0 ± 2.5 | 0.26 ± 0.05 | -2.10 ± 0.13 |
# | `previous` | 6.0 ± 1.3 | 4.0 ± 1.3 | 0.25 ± 0.03 | -2.17 ± 0.06 |
# | `average` | 6.6 ± 1.1 | 4.6 ± 1.4 | 0.26 ± 0.04 | -2.15 ± 0.04 |
# | 0, never moved | 6.1 ± 1.1 | 7.9 ± 2.4 | 0.22 ± 0.04 | -1.80 ± 0.15 |
# | **lr 0.016, batch 8** | | | | |
# | `none`: plain sum | 6.1 ± 1.0 | 4.8 ± 2.7 | 0.23 ± 0.03 | -2.07 ± 0.11 |
# | `epoch`: published | 5.4 ± 0.9 | 5.8 ± 2.9 | 0.24 ± 0.04 | -1.97 ± 0.13 |
# | constant weights | 5.0 ± 0.6 | 4.8 ± 1.8 | 0.23 ± 0.03 | -1.98 ± 0.08 |
# | `previous` | 4.8 ± 0.7 | 4.0 ± 1.2 | 0.25 ± 0.04 | -2.04 ± 0.06 |
# | `average` | 5.8 ± 1.1 | 5.7 ± 1.9 | 0.25 ± 0.03 | -2.01 ± 0.05 |
# | 0, never moved | 5.0 ± 1.2 | 7.6 ± 1.8 | 0.19 ± 0.03 | -1.74 ± 0.15 |
#
# What it says, and does not say:
#
# * In no setting does the published rule lower either fluctuation by more than the spread between seeds. At the ordinary
#   setting $F$ of `oh` is the same under all rules but the last, and $F$ of `ie` is lowest for the plain sum.
# * What the published rule does change is where `ie` ends: -2.09 against -2.18, which is 8.1 effective classes against 8.8.
#   Constant weights with the same mean gains (1.00 and 0.67) end at -2.11: it is the smaller *weight*, not the damping.
# * Leaving the anchor at 0 is a weight of 0.2 on `ie`: surer images that are steadier in `oh` and less steady in `ie`, of
#   not quite 6 effective classes.
# * With batches of 8 the rule `previous` has a lower $F$ of `oh` than the plain sum with 9 of 10 seeds, and no better end.
#   It is one of thirty comparisons with the plain sum, so it may be luck; whoever wants to know takes new seeds.
#
# ## What to remember
#
# * $e^{L-a}$ keeps a gradient's direction and changes its length: by the gain $e^{L-a}$, 1 at the anchor, 2 at $\ln 2$ nats
#   above it. The anchor is a number; nothing flows through it.
# * "An earlier value" is a choice. One step back gives a gain of about 1; the start of the epoch gives a weight that drifts
#   as the loss falls; 0 gives a weight that says more about the loss's sign than about its rises.
# * Damping changes a term's mean weight. Compare it with constant weights of the same mean, not with the plain sum alone.
# * A change smaller than the spread between seeds is not a finding.
#
# ## The paper, the code, and what we measured
#
# * *Paper.* Its abstract says that exponentially penalising increments mitigates fluctuations caused by the conflict. We have
#   not read its body, so we do not know what its anchor is or how it measured.
# * *Code.* Two damped terms and a plain one, no weights. Anchors start at 0 and are taken once per 120 steps, at the second.
# * *Measured* (the bands and the table above; width 8, 100 steps, MNIST's teacher). In no setting that we tried did
#   the published rule calm `oh` or `ie` beyond the spread of ten seeds, and its effect on where they end is that of a
#   constant weight. So we do not confirm that damping mitigates fluctuations here; nor does this refute it elsewhere.
# * *Not measured.* Whether a *student* learns better; the published size (width 128, batches of 512, 2,400 steps, in which
#   the anchor is taken 20 times and not once); colour images.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | anchor $a$ | the earlier value that a loss is compared with |
# | damping, exponential penalty | descending $e^{L-a}$ instead of $L$ |
# | gain | $e^{L-a}$: what damping multiplies a term's gradient with |
# | arm | one of several ways of training that are compared, all else alike |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
