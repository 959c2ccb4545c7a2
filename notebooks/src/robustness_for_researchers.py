# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Robustness, for researchers: what the paper claims, and how to test it
#
# **Goal.** Turn "more robust over hyper-parameters" and "damps fluctuations" into questions that a table can answer.
# Read our tables with their intervals, and decide what would change your mind.
#
# **Time.** About 30 minutes, of which 20 seconds are computing (two CPU cores).

# %%
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import t as student_t

import rdskd_lab as lab
from rdskd_lab.course import begin, stored
from rdskd_lab.reporting.charts import Panels
from rdskd_lab.reporting.study_charts import Interactive
from rdskd_lab.studies import fluctuation, robustness, scoreboard
from rdskd_lab.studies.registry import STUDIES
from rdskd_lab.studies.verdict import interval

lesson = begin("robustness_for_researchers")

# %% [markdown]
# ## What can "robust" mean?
#
# Here are two invented methods. Each was run with six settings. The numbers are the accuracies of the students in per
# cent.
#
# *Predict before you run: which of the two would you call more robust? Which number would you report in an abstract?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
CAREFUL = np.array([90.0, 91.0, 90.5, 89.0, 90.0, 89.5])
BRILLIANT = np.array([97.5, 97.0, 97.5, 96.5, 97.0, 62.0])
for name, found in (("careful", CAREFUL), ("brilliant", BRILLIANT)):
    told = f"mean {found.mean():.4f}, worst {found.min():.4f}, sd {found.std(ddof=1):.4f}, best {found.max():.4f}"
    print(f"{name:10} {told}, below 80 %: {np.mean(found < 80):.0%}")

# %% [markdown]
# `brilliant` wins by the mean and by the best setting. `careful` wins by the worst setting, by the spread, and by the
# share of collapsed runs. So "robust" means nothing until somebody chooses a number to measure it by, and this choice
# must be made before the runs. We chose ours before any run: **the standard deviation over settings**, seed by seed.
# In addition, we report the mean, the worst accuracy, and the share of runs that collapsed (below 80 %, fewer than 8
# classes, or stopped because a number was infinite or NaN). We treat a stopped run as a guess, with an accuracy of 10
# %. Leaving it out would reward failure.
#
# ## How a study is designed
#
# Nobody can run all combinations. So we change **one setting at a time**, starting from each method's own default.
# Each changed setting is run with three seeds, and each run has a quarter of the steps of `classroom`. Only the
# default is run with ten seeds. They show how much luck changes a result when no setting changes. If a method does
# not have a certain setting, that setting is left out for this method.

# %%
plan = robustness.plan()
print(f"{len(plan)} runs: one setting at a time, three seeds; each default with ten")
for method in robustness.FIELD:
    names = {trial.setting: trial.kind for trial in plan if trial.config.method == method}
    kinds = list(names.values())
    counts = {kind: kinds.count(kind) for kind in robustness.KINDS if kind in kinds}
    grid = np.prod([1 + n for n in counts.values()])
    listed = ", ".join(f"{kind} {n}" for kind, n in counts.items())
    print(f"{method:14} {len(names):3} settings ({listed}); combined {grid:,}")

# %% [markdown]
# This design misses three things: two settings that are harmless alone but bad together, settings that we never
# tried, and a default that only just works, so that a small change in one direction breaks it. There is one more
# problem: a method with more terms has more weights that can go wrong. So the scoreboard makes two comparisons: one
# over the settings that both methods have, and one over all settings of each method.
#
# ## Reading an interval
#
# Each claim is about a difference between spreads, accuracies, or logarithms. We compute it **seed by seed**, because
# both sides used the same seeds. With few seeds, the mean of these differences may be due to luck. Student's t
# distribution shows how far luck can move the mean.
#
# *Predict before you run: the mean difference is 1.5 points both with three seeds and with ten seeds. How many times
# narrower is the second interval?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
differences = np.array([0.9, 1.4, 2.2])
for n in (3, 10):
    d = np.resize(differences, n)
    half = student_t.ppf(0.975, n - 1) * differences.std(ddof=1) / n**0.5
    print(f"{n:2} seeds: t = {student_t.ppf(0.975, n - 1):.4f}, mean {differences.mean():.4f} ± {half:.4f}")
mean, low, high, n = interval(differences)
print(f"the package, three seeds: {mean:.4f} ({low:.4f} to {high:.4f})")

# %% [markdown]
# **The scoreboard's rule** is simple. If the whole interval is above 0, the claim *holds*. If the whole interval is
# below 0, it *does not hold*. Otherwise the claim is *undecided*: we do not know. A 95 % interval misses the true
# value in one of twenty cases, and the scoreboard has dozens of intervals.
#
# ### Exercise 1: is it more robust?
#
# Your function receives the accuracies of two methods, `ours` and `rivals`, in per cent. Each has the shape
# (settings, seeds), with nan for a stopped run. It also receives `t`, the quantile of Student's t distribution.
# Return a tensor with the estimate, the lower end and the upper end of the interval. A number above 0 should mean
# that our method is more robust. A table of two settings and three seeds looks like this:

# %%
torch.tensor([[97.0, 96.0, 98.0], [95.0, torch.nan, 96.0]], dtype=torch.float64)


# %% tags=["exercise-1"]
def more_robust(ours, rivals, t):
    """Rival's spread over settings less ours, with its 95 % interval: tensor (estimate, low, high), in points."""
    ...


lesson[1].check(more_robust)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## The tables
#
# We planned four studies before we ran any of them (`rdskd-lab study run NAME`). This notebook only reads their tables.

# %% tags=["not-banded"]
tables = {
    "fluctuation": stored("fluctuation"),
    "diversity": stored("diversity"),
    "accuracy": stored("accuracy"),
    "robustness": stored("robustness"),
}
for name, rows in tables.items():
    study, stopped = STUDIES[name], sum(row["outcome"] != "finished" for row in rows)
    print(f"{name}: {len(rows)} of {len(study.trials())} runs; {stopped} were stopped. {study.question}")


def tell(name, words=""):
    """Print a study's verdicts whose claim or comparison contains `words`; return their picture.  *: planned before any run."""
    found = [v for v in STUDIES[name].verdicts(tables[name]) if words in f"{v.claim} ({v.value})"]
    chart = scoreboard.intervals(STUDIES[name].question, found)
    print(f"{found[0].claim} ({found[0].value}), and so on:")
    for v in found:
        print(f" {'*' if v.main else ' '} {v.label}: {v.interval}: {v.verdict}")
    one_axis = len({scoreboard.axis(verdict) or verdict.value for verdict in found}) == 1
    return Interactive(chart) if chart.rows and one_axis else None


# %% [markdown]
# ## Is it damping, or only a smaller weight?
#
# Damping multiplies a gradient by a gain. If the gain is below 1 on average, the term simply pulls less, and any term
# that pulls less fluctuates less. So there are two questions. *Does the loss fluctuate less than without damping?* If
# so, something helps. *Does it also fluctuate less than with a constant weight equal to the mean gain?* Only then
# does damping itself help.
#
# *Predict before you run: which of the two do you expect to be true? For which term? At which batch size?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
tell("fluctuation", "than without (")

# %% [markdown]
# (The scoreboard also covers anchors other than the published one.) Now we look at the control: a constant weight
# that is equal to the mean gain of the damped run with the same seed.

# %% tags=["not-banded"]
tell("fluctuation", "constant weight")

# %% [markdown]
# Fluctuation here is the mean positive increment of a term on a fixed probe batch (notebook 07). The value is the
# logarithm of a ratio, so 0.69 means half the fluctuation. Ask three questions about the pictures. On which side of 0
# are the bars? Do `oh` and `ie` agree? Is each bar in the first picture on the same side in the second?
#
# Usually, people look at training curves. The next figure shows them above the curves on the probe, all with seed 0.
# *Before you look: in which row will you be able to tell the three runs apart?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
curves = stored("fluctuation_curves")
charts = [chart for where in ("batches", "probe") for chart in fluctuation.curve_charts(curves, where)]
Panels("One seed, step by step", charts)

# %% [markdown]
# During training, each step has a different batch. So a loss also rises and falls because the images differ. The
# *floor* is the fluctuation that a generator shows without any training, on new batches of the probe's size.
#
# *Predict before you run: which is larger, the fluctuation on the probe or on the training batches?*

# %% tags=["prediction-5"]
lesson.predict(5, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
for rule in ("none", "epoch", "constant"):
    rows = [r for r in tables["fluctuation"] if r["setting"] == f"{rule}, default" and r["outcome"] == "finished"]
    for term in "oh", "ie":
        means = {name: 1000 * np.mean([r[f"{term}_{name}"] for r in rows]) for name in ("probe", "batches", "floor")}
        listed = ", ".join(f"{name} {mean:.2f}" for name, mean in means.items())
        print(f"{rule:8} {term}: {listed} (in 0.001 nats a step, mean of {len(rows)} seeds)")

# %% [markdown]
# ## Which term matters, and whose student is best?
#
# *Predict before you run: which term matters most for the student? Which other method comes closest to RDSKD?*

# %% tags=["prediction-6"]
lesson.predict(6, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
tell("diversity", "samples")

# %% tags=["not-banded"]
tell("diversity", "student better")

# %% tags=["not-banded"]
tell("accuracy")

# %% [markdown]
# ## Who is more robust?
#
# *Predict before you run: which kind of setting does the most harm: learning rate, batch, latent, width, temperature,
# teacher, or weights? Is it the same kind for every method?*

# %% tags=["prediction-7"]
lesson.predict(7, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
rows = tables["robustness"]
print(f"{'method':14} runs   mean  worst     sd  collapsed | default   luck  collapsed")
for r in robustness.summary(rows):
    changed = f"{r.trials:4} {r.mean:6.1f} {r.worst:6.1f} {r.sd:6.1f} {r.collapsed:8.0f} %"
    print(f"{r.method:14} {changed} | {r.default:7.1f} {r.luck:6.1f} {r.fallen:8.0f} %")
worst = robustness.unluckiest(rows)
for method in dict.fromkeys(row["method"] for row in rows):
    of = [(mean, name) for (m, kind), (name, mean) in worst.items() if m == method and kind != "default"]
    print(f"{method}: worst of all {min(of)[1]} ({min(of)[0]:.1f} %)")

# %% tags=["not-banded"]
Interactive(robustness.settings_chart(tables["robustness"]))

# %% [markdown]
# Point at a mark to see its setting. *Luck* is the spread of ten runs in which **no** setting was changed. If `sd` is
# not larger than *luck*, the settings do not explain it.
#
# Now point at the leftmost mark in each row. *Before you go on: how would the order by `sd` change without this one
# setting? And would you call a method fragile if its default run has not finished learning?*
#
# The next cell tests the claim itself: over the settings that both methods have, over all settings of each method,
# and over all settings except other teachers. We added the last comparison after we had seen the table, so it is a
# hint and not a finding.

# %% tags=["prediction-8"]
lesson.predict(8, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
tell("robustness")

# %% [markdown]
# ## A small study of your own
#
# The next cell compares two methods at three learning rates, with one seed and very few steps. *Predict before you
# run: whose accuracy changes more?*


# %% tags=["prediction-9"]
lesson.predict(9, ...)  # type your guess in quotes, in place of the dots


# %%
def student_of(name, factor):
    """Return a student's accuracy in % after a tiny run at `factor` times the method's learning rate."""
    method = lab.METHODS[name]
    usual = method.presets["classroom"]
    short = dict(generator_steps=60, student_steps=180, batch_size=64, student_turn=3, width=8)
    teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
    settings = replace(usual, **short, lr=usual.lr * factor)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)
    run = lab.Distillation(
        teacher, student, method.terms(), settings, method=method, seed=lesson.seed, device=lesson.device
    )
    try:
        for _ in run:
            pass
    except FloatingPointError:  # stopped: a number was not finite
        return 10.0
    return 100 * lab.accuracy(student, test)


test = lab.load_data("digits", "test")
slices = {name: np.array([student_of(name, f) for f in (0.25, 1, 4)]) for name in ("rdskd", "dafl")}
lesson.band("rdskd, sd over three learning rates", slices["rdskd"].std(ddof=1), "points", digits=1)
lesson.band("dafl, sd over three learning rates", slices["dafl"].std(ddof=1), "points", digits=1)

# %% [markdown]
# Each of your two numbers comes from one seed. The ranges beside them come from ten seeds. Do they overlap? Could one
# seed have told you this? After so few steps, a difference shows which method starts faster, not which one is more
# robust.
#
# ## What would change your mind?
#
# Take a claim that is undecided, and suppose that its estimate stays the same while we add seeds. How many seeds
# would decide it? The half-width of the interval shrinks in proportion to one over the square root of the number of
# seeds. These eight claims are the closest to a decision:

# %% tags=["not-banded"]
told = [v for name, rows in tables.items() for v in STUDIES[name].verdicts(rows)]
print({word: sum(v.verdict == word for v in told) for word in sorted({v.verdict for v in told})})
undecided = [v for v in told if v.verdict == "undecided" and v.estimate]
needed = {v: int(np.ceil(v.n * ((v.high - v.low) / 2 / v.estimate) ** 2)) for v in undecided}
for v in sorted(needed, key=needed.get)[:8]:  # those that are nearest to being decided
    print(f"{v.study}: {v.claim}\n    ({v.value}): about {needed[v]:,} seeds instead of {v.n}")

# %% [markdown]
# Before you scroll on, choose one claim and write down:
#
# * which verdict you expected, and which one you found;
# * one result that would change your mind, and the study that could produce it: more seeds, another teacher, a harder
#   data set, other settings, the published schedule;
# * one way in which our design may be unfair to the method that you doubt.
#
# One command runs any of these studies: `rdskd-lab study run NAME`. You can stop and resume it at any time, and run it on a
# cluster with `--scheduler`.
#
# ## What to remember
#
# * "Robust" needs a number that is chosen before the runs. The mean, the worst accuracy, the spread and the share of
#   collapses can each name a different winner.
# * Seeds are repetitions; settings are not. Pair runs by seed, compute the spread over settings, and include the
#   stopped runs.
# * If a change makes a loss fluctuate less, compare it with a simple control: a constant weight that makes the loss
#   equally weak.
# * "Undecided" means that we do not know. It means neither yes nor no.
#
# ## The paper, the code, and what we measured
#
# * **Paper**: its abstract claims damped fluctuations, authentic and diverse samples, better accuracy than DAFL,
#   MSKD, ZSKD and DeepInversion, and more robustness over hyper-parameters. We have read the abstract only. So we do not
#   know how the authors measured this, over which settings, or with which seeds.
# * **Released code**: MNIST, SVHN and CIFAR-10. It comes without tables, logs or weights.
# * **Measured here**: the four tables above, on MNIST's digits, with a LeNet-5 as the teacher and generators an eighth
#   as wide as published. Every verdict and its interval are in `results/SCOREBOARD.md`, which also says why each may
#   differ from the paper. In short: there was no setting in which damping made a loss measurably calmer. `oh` and `ie`
#   do what they are meant to do. RDSKD's student is better than MSKD's and far worse than DeepInversion's, whose
#   teacher has BatchNorm; the comparisons with DAFL's and ZSKD's students are undecided. RDSKD is more robust than ZSKD
#   and DeepInversion and less robust than MSKD. Without other teachers, only the difference from DeepInversion is left.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | hyper-parameter, setting | something that is chosen before a run and not learned during the run |
# | one at a time | each setting is changed on its own, starting from a default |
# | paired | compared for the same seed, so that the luck that both sides share cancels out |
# | 95 % interval | computed so that it holds the true mean difference in 19 of 20 such studies |
# | control | a run that tests the simple explanation besides the interesting one |
# | collapse (here) | fewer than 8 classes, a student below 80 %, or a stopped run |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
