# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 09 Experiments: one change at a time
#
# **Goal.** Experiment with RDSKD while it learns, change one thing at a time, and read what it did.
#
# **Time.** About 25 minutes, of which 15 seconds are computing (two CPU cores), and as much live training as you like.
#
# Each experiment is there twice: with your own hands in the lab, and as a cell that does it in numbers, from the same seed, so
# that you can see whether you saw right.

# %%
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin
from rdskd_lab.lab import Lab, Museum
from rdskd_lab.reporting import charts

lesson = begin("09_experiments")

# %% [markdown]
# ## The lab
#
# Run the cell, press **Play**, and let it train for a hundred steps or so. From top to bottom: the buttons and three numbers; the
# way of a batch, from random numbers to the gradient that comes back; a card for each loss term. On the left, what the generator makes of
# the same 40 latents, with the teacher's answers, and how the teacher sorts the latest batches. On the right, how much each damped loss fluctuates, and the
# curves.
#
# On a card, the switch turns the term on or off, *weight* says how much it counts, and *damping* is notebook 07's; its strength is one slider for
# all damped terms. A change takes effect before the next step. After a change, a **twin** goes on beside your run as it would be without
# the change; it is drawn in grey. **Reset** goes back to the same weights and latents, with the terms as you set them. Everything else is under **More**.

# %%
small = replace(lab.PRESETS["classroom"], width=8)  # a narrow generator, for slow machines too
live = Lab(settings=small, seed=lesson.seed, steps=40)
live

# %% [markdown]
# ## The same in numbers
#
# This function is all that the experiments below need: RDSKD's table, edits at some steps, and three numbers for each step.


# %%
def play(edits=None, steps=120, seed=lesson.seed):
    """Edits {step: [(term, field, value), ...]} -> oh, certainty, effective classes of each step."""
    teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
    settings = replace(small, generator_steps=steps, pooled=False)
    run = lab.Distillation(teacher, lab.LeNet5Half(), lab.rdskd(), settings, seed=seed)

    def edit(step):
        for term, field, value in (edits or {}).get(step, []):
            setattr(run.objective[term], field, value)

    edit(0)
    rows = []
    for step in run.synthesise():
        p = step.batch.probs  # (64, 10)
        effective = torch.special.entr(p.mean(0)).sum().exp().item()
        rows.append((step.raw["oh"], p.max(1).values.mean().item(), effective))
        edit(step.i + 1)
    return np.array(rows)  # (steps, 3)


def compare(title, runs, column, ylabel):
    """One line a run: column 0 is oh, 1 the certainty, 2 the effective number of classes."""
    lines = [
        charts.Line(name, np.arange(len(rows)), rows[:, column], i, "noisy")
        for i, (name, rows) in enumerate(runs.items())
    ]
    return charts.Curves(title, lines, ylabel=ylabel)


# %% [markdown]
# ## Experiment 1: class diversity goes
#
# *Predict before you run: from step 60 on, `ie` is off. What will change first, the certainty or the classes? How soon? By hand:
# Reset, Play to about step 60, Pause, switch Class diversity off, Play.*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
as_it_is, without_ie = play(), play({60: [("ie", "on", False)]})
print("the same run until then:", np.array_equal(as_it_is[:60], without_ie[:60]))
lesson.band("effective classes, all terms on", as_it_is[-20:, 2].mean(), digits=1)
lesson.band("effective classes, ie off since step 60", without_ie[-20:, 2].mean(), digits=1)

# %%
compare("ie off at step 60", {"as it is": as_it_is, "ie off": without_ie}, 2, "effective classes of 10")

# %% [markdown]
# Both runs are the same, number for number, until step 60: same seed, same weights, same latents. So the one edit caused whatever is different
# later. That is what Reset is for, and why you change one thing at a time.
#
# The lab's twin is such a second run. A *fork* shows both side by side: it continues from where your lab stands, once as it is and once with
# one edit.

# %% tags=["not-banded"]
live.fork("ie", "on", False)

# %% [markdown]
# ## Experiment 2: authenticity, thirty times as hard
#
# *Predict before you run: with weight 30 on `oh` from the first step, will the teacher be surer? What is the price? By hand: Reset,
# set the weight of Authenticity to 30, Play.*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
hard = play({0: [("oh", "weight", 30.0)]})
lesson.band("certainty, oh with weight 1", as_it_is[-20:, 1].mean(), "%")
lesson.band("certainty, oh with weight 30", hard[-20:, 1].mean(), "%", look_at="whether the weight is 30")
lesson.band("effective classes, oh with weight 30", hard[-20:, 2].mean(), digits=1)

# %%
both = {"weight 1": as_it_is, "weight 30": hard}
charts.Panels(
    "authenticity, thirty times as hard",
    [compare("certainty", both, 1, "of 1"), compare("effective classes", both, 2, "of 10")],
)

# %% [markdown]
# More certainty is bought with classes: the two terms pull against each other, and a weight decides who wins. That is the
# conflict of notebook 05, seen live.
#
# ## Experiment 3: no damping, and a trap
#
# *Predict before you run: damping is taken from `oh` and `ie` (in the lab each card has a switch for it). Is the run better, worse, or the same?
# And how would you know?*
#
# First what damping does to a gradient: it multiplies it with $e^{L-a}$, the *gain* on the lab's cards.

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
for change in (-0.5, -0.1, 0.0, 0.1, 0.5):
    print(f"loss {change:+.1f} from its anchor: gain {np.exp(np.float64(change)):.4f}")

# %% tags=["not-banded"]
plain = {0: [("oh", "damped", False), ("ie", "damped", False)]}
other = lesson.seed + 1
runs = {
    "damped": as_it_is,
    "plain": play(plain),
    "damped, next seed": play(seed=other),
    "plain, next seed": play(plain, seed=other),
}
compare("with and without damping, two seeds", runs, 2, "effective classes of 10")

# %% [markdown]
# The trap: with one seed you would have told a story about damping. Compare the distance between the two settings with the distance
# between the two seeds, and also early with late: the published anchor begins at 0, so the gain of `ie` is small in the first steps.
# Two seeds decide nothing. A class of thirty can tell: that is what `begin("09_experiments", student="your name")` and
# `class_figure` are for.
#
# ### Exercise 1: bring the classes back
#
# A run (batches of 32, seed 0) has trained for 40 steps with `oh` alone, and the classes are going. Say what to change at step 40 so
# that 60 steps later there are at least 7 effective classes. The row `oh` stays as it is. Try it in the lab first.


# %% tags=["exercise-1"]
def cure():
    """What to change at step 40: a list of (term, field, value); field is "on", "weight" or "damped"."""
    ...


lesson[1].check(cure)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## The failure museum
#
# Recorded runs, healthy and not, that play without training. Choose one, read its question, answer it for yourself, press
# Play, and only then reveal the cure.

# %% tags=["not-banded"]
Museum("collapse")

# %% [markdown]
# ## More to try
#
# * Weight 100 on `ds`, with `ie` off: do the images become more different, and the classes?
# * Slow motion: which of the 40 images change their class, and what happened to their certainty before?
# * Switch `ie` off and watch the student: how long until it forgets a class?
# * Press *readable digits* and *collapse*: what is different in their cards?
# * Damping strength 20, with the anchor *previous* (under *More*): does a loss become calmer?
# * Another method (under *More*): which terms do you know already?
#
# `live.look_back()` shows the run again without training, forwards and backwards; `live.close()` ends the lab and gives its memory back.
#
# ## What to remember
#
# * One change at a time, from the same state: only then the difference has one cause.
# * A weight shifts a balance: more certainty, fewer classes. The cure for lost classes is the term that sees the whole batch.
# * What one run shows may be its seed. Ask how far two seeds are apart before you believe a difference.
#
# ## The paper, the code, and what we measured
#
# * **Released code**: all weights are 1; oh and ie are damped with anchors of every 120th step. The body of the paper was not read by us.
# * **Measured here**: the bands above, ten seeds each, a generator of 8 channels and 120 steps.
# * **Where they differ**: the published generator is 16 times as wide and learns 2,400 steps. Whether the same edits do the same
#   there was not run.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | fork | two runs from one state, with one edit between them |
# | edit | one change of one term before one step |
# | effective number of classes | $e^{H}$ of how often each class occurs in a batch: 10 if equally often, 1 if there is one |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
