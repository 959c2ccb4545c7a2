# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Robustness, for researchers: what the paper claims, and how to ask
#
# **Goal.** Turn "more robust over hyper-parameters" and "damps fluctuations" into questions that a table can answer, read
# our tables with their intervals, and say what would change your mind.
#
# **Time.** About 25 minutes, of which 30 seconds are computing (two CPU cores).

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
# Here are two imaginary methods, each run with six settings. The numbers are the accuracies of their students in per cent.
#
# *Predict before you run: which of the two would you call more robust? Which number would you print in an abstract?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
CAREFUL = np.array([90.0, 91.0, 90.5, 89.0, 90.0, 89.5])
BRILLIANT = np.array([97.5, 97.0, 97.5, 96.5, 97.0, 62.0])
for name, found in (("careful", CAREFUL), ("brilliant", BRILLIANT)):
    told = f"mean {found.mean():.4f}, worst {found.min():.4f}, sd {found.std(ddof=1):.4f}, best {found.max():.4f}"
    print(f"{name:10} {told}, below 80 %: {np.mean(found < 80):.0%}")

# %% [markdown]
# By the mean and the best setting `brilliant` wins, by the worst, the spread and the share that collapsed `careful` does. So
# "robust" is no question until a number is chosen, and the choice belongs before the runs. Ours, chosen before any was
# done: **the standard deviation over settings**, seed by seed; beside it mean, worst and the share that collapsed (below
# 80 %, fewer than 8 classes, or stopped by the guard). A stopped run counts as a guess, 10 %: to leave it out would reward
# failing.
#
# ## How a study asks
#
# Nobody can run all combinations. So **one setting at a time** is moved from each method's own default; each with three
# seeds; each at a quarter of the steps of `classroom`. The default alone has ten seeds: how far does luck move a method when
# no setting is changed? What a method does not have, it cannot be asked about.

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
# What this cannot see: two settings that are harmless alone and bad together; settings that were never tried; and a default
# that stands at the edge of a cliff on one side. And a method with more terms has more weights to be spoilt: that is why
# the scoreboard compares over those settings that both have, and over all of each.
#
# ## Reading an interval
#
# Each claim is a difference: of spreads, of accuracies, of logarithms. It is taken **seed by seed**, because both sides had the
# same seed. With few seeds the mean of these differences may be luck; Student's t says how far.
#
# *Predict before you run: the same mean difference, 1.5 points, with three seeds and with ten. How much narrower is the
# interval?*

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
# **The scoreboard's rule** is this and nothing more: the whole interval above 0, the claim *holds*; the whole interval below 0,
# it *does not hold*; else *undecided*, which means that we do not know. An interval of 95 % misses one time in twenty,
# and the scoreboard has dozens.
#
# ### Exercise 1: is it more robust?
#
# Given the accuracies of two methods, `ours` and `rivals`, each (settings, seeds) in per cent, with nan where the guard
# stopped a run; and `t`, the quantile of Student's t. Return a tensor: the estimate, the low and the high end. Above 0
# should mean that ours is more robust. A table of two settings and three seeds looks like this:

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
# Four studies were planned before any was run (`rdskd-lab study run NAME`). Their tables are only read here.

# %% tags=["not-banded"]
tables = {
    "fluctuation": stored("fluctuation"),
    "diversity": stored("diversity"),
    "accuracy": stored("accuracy"),
    "robustness": stored("robustness"),
}
for name, rows in tables.items():
    study, stopped = STUDIES[name], sum(row["outcome"] != "finished" for row in rows)
    print(f"{name}: {len(rows)} of {len(study.trials())} runs; the guard stopped {stopped}. {study.question}")


def tell(name, words=""):
    """Print a study's verdicts whose claim or comparison holds these words; their picture.  *: named before any run."""
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
# Damping multiplies a gradient by a gain. If the gain is below 1 on average, the term is simply asked for more softly, and a
# soft term fluctuates less by whatever means it became soft. So there are two questions. *Less than without damping?* Then
# something helps. *Less than with a constant weight of the same mean gain?* Only then it is the damping.
#
# *Predict before you run: which of the two do you expect to hold? For which term? At which batch size?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
tell("fluctuation", "than without (")

# %% [markdown]
# (Other anchors than the published one are on the scoreboard.) And against the control, a constant weight that is the mean gain of
# the same seed's damped run:

# %% tags=["not-banded"]
tell("fluctuation", "constant weight")

# %% [markdown]
# Fluctuation here is the mean positive increment of a term on a fixed probe batch (notebook 07); the value is the logarithm of a
# ratio, so 0.69 would be twice as quiet. Read each picture for three things: on which side of 0 the bars lie; whether oh and ie
# agree; and whether the first picture's bars survive in the second.
#
# Why not look at the curves of training, as one usually does? Here they are, above those of the probe, from the same run with
# seed 0. *Before you look: in which row will you be able to tell the three apart?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
curves = stored("fluctuation_curves")
charts = [chart for where in ("batches", "probe") for chart in fluctuation.curve_charts(curves, where)]
Panels("One seed, step by step", charts)

# %% [markdown]
# Each step has a batch of its own in training, so a loss also rises and falls by who is in the batch. The *floor* is what a
# frozen generator shows on fresh batches of the probe's size.
#
# *Predict before you run: which is larger, the fluctuation on the probe, or on the batches of training?*

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
# ## What do the terms do for samples, and whose student is best?
#
# *Predict before you run: which term matters most to the student? Which rival is nearest to RDSKD?*

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
# *Predict before you run: which kind of setting hurts most: learning rate, batch, latent, width, temperature, teacher,
# weights? Is it the same kind for every method?*

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
# Point at a mark to see which setting it is. *Luck* is the spread of ten runs with **no** setting changed: whatever part of `sd`
# it explains is not a matter of settings.
#
# Now point at the mark at the far left of each row. *Before you go on: what would happen to the order by `sd` if that one
# setting had not been tried? And would you call a method fragile whose default has not arrived yet?*
#
# And the claim itself, over the settings that both have, over all of each, and over all but other teachers. The last was asked
# after the table had been seen: a hint, not a finding.

# %% tags=["prediction-8"]
lesson.predict(8, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
tell("robustness")

# %% [markdown]
# ## A slice, live
#
# Two methods, three learning rates, one seed, a tiny budget. *Predict before you run: whose accuracy moves more?*


# %% tags=["prediction-9"]
lesson.predict(9, ...)  # type your guess in quotes, in place of the dots


# %%
def student_of(name, factor):
    """A student's accuracy in % after a tiny run at `factor` times the method's learning rate."""
    method = lab.METHODS[name]
    usual = method.presets["classroom"]
    short = dict(generator_steps=60, student_steps=180, batch_size=64, student_turn=3, width=8)
    teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
    settings = replace(usual, **short, lr=usual.lr * factor)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)
    run = lab.Distillation(teacher, student, method.terms(), settings, method=method, seed=lesson.seed)
    try:
        for _ in run:
            pass
    except FloatingPointError:  # the guard stopped it
        return 10.0
    return 100 * lab.accuracy(student, test)


test = lab.load_data("digits", "test")
slices = {name: np.array([student_of(name, f) for f in (0.25, 1, 4)]) for name in ("rdskd", "dafl")}
lesson.band("rdskd, sd over three learning rates", slices["rdskd"].std(ddof=1), "points", digits=1)
lesson.band("dafl, sd over three learning rates", slices["dafl"].std(ddof=1), "points", digits=1)

# %% [markdown]
# Your two numbers are one seed. The ranges beside them are those of ten: do they overlap? Could one seed have told you?
# After so few steps a difference is about who starts faster, not about who is robust.
#
# ## What would change your mind?
#
# For each claim that is not decided: if the estimate stayed as it is and only seeds were added, how many would decide it? The
# half-width shrinks with the root of their number. The eight that are nearest:

# %% tags=["not-banded"]
told = [v for name, rows in tables.items() for v in STUDIES[name].verdicts(rows)]
print({word: sum(v.verdict == word for v in told) for word in sorted({v.verdict for v in told})})
undecided = [v for v in told if v.verdict == "undecided" and v.estimate]
needed = {v: int(np.ceil(v.n * ((v.high - v.low) / 2 / v.estimate) ** 2)) for v in undecided}
for v in sorted(needed, key=needed.get)[:8]:  # those that are nearest to being decided
    print(f"{v.study}: {v.claim}\n    ({v.value}): about {needed[v]:,} seeds instead of {v.n}")

# %% [markdown]
# Before you scroll on, write down for one claim of your choice:
#
# * which verdict you expected, and which you read;
# * one result that would make you give up what you now believe, and the study that could bring it: more seeds, another
#   teacher, a harder data set, other settings, the published schedule;
# * one way in which our question may be unfair to the method you doubt.
#
# A single command runs any of it: `rdskd-lab study run NAME`, stopped and continued at will; on a cluster with `--scheduler`.
#
# ## What to remember
#
# * "Robust" needs a number, chosen before the runs: mean, worst, spread, share that collapsed can each name another winner.
# * Seeds are repeats, settings are not: pair by seed, take the spread over settings, count what was stopped.
# * Whatever makes a loss quieter must beat the dull control that makes it as soft.
# * "Undecided" means not known. It is neither yes nor no.
#
# ## The paper, the code, and what we measured
#
# * **Paper**: its abstract claims damped fluctuations, authentic and diverse samples, better accuracy than DAFL, MSKD, ZSKD and
#   DeepInversion, and more robustness over hyper-parameters. We have not read its body: how it measured, over which
#   settings, with which seeds, is not known here.
# * **Released code**: MNIST, SVHN and CIFAR-10; no tables, logs or weights come with it.
# * **Measured here**: the four tables above, on MNIST's digits with a LeNet-5, generators an eighth as wide; every verdict with
#   its interval is on `results/SCOREBOARD.md`, which also says why each may differ from the paper. In short: no setting in which
#   damping makes a loss measurably quieter; oh and ie do what they are for; RDSKD's student better than MSKD's, undecided
#   against DAFL's and ZSKD's, and far worse than DeepInversion's by a teacher with BatchNorm; more robust than ZSKD and
#   DeepInversion, less than MSKD, and all of the last by that one teacher.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | hyper-parameter, setting | what is chosen before a run and not learned in it |
# | one at a time | each setting moved alone from a default |
# | paired | compared within the same seed, so that common luck drops out |
# | 95 % interval | computed so that it holds the true mean difference in 19 of 20 such studies |
# | control | the dull explanation, run beside the interesting one |
# | collapse (here) | fewer than 8 classes, a student below 80 %, or a stopped run |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
