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
# **Goal.** Change one thing at a time while RDSKD trains, and find out what each change does.
#
# **Time.** About 25 minutes, of which 20 seconds are computing (two CPU cores). The live training lasts as long as
# you like.
#
# You do each experiment twice: first by hand in the lab, then in a cell that runs the same experiment from the same
# seed and measures the result. So you can check whether your impression was right.

# %%
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin, sheet
from rdskd_lab.lab import Lab, Museum
from rdskd_lab.reporting import charts

lesson = begin("09_experiments")

# %% [markdown]
# ## The lab
#
# You know the lab from notebook 01. Run the cell, press **Play**, and let the lab train for about a hundred steps. A
# change takes effect before the next step. After a change, a grey **twin** appears: the same run without your change.
# **Reset** goes back to the initial weights and latents, but keeps the terms as you have set them. Everything else is
# under **More**.

# %%
small = replace(lab.PRESETS["classroom"], width=8)  # a narrow generator, for slow machines too
live = Lab(settings=small, seed=lesson.seed, device=lesson.device, steps=40)
live

# %% [markdown]
# ## The same experiments in numbers
#
# All experiments below use this function. It trains with RDSKD's table of terms, makes your edits at the steps that
# you choose, and returns three numbers for each step.


# %%
pictures = []  # at the end of each run: 40 images and the teacher's answers


def play(edits=None, steps=120, seed=lesson.seed):
    """Train with edits {step: [(term, field, value), ...]}; return oh, certainty and effective classes of each step."""
    teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
    settings = replace(small, generator_steps=steps, pooled=False)
    run = lab.Distillation(teacher, lab.LeNet5Half(), lab.rdskd(), settings, seed=seed, device=lesson.device)

    def edit(step):
        for term, field, value in (edits or {}).get(step, []):
            setattr(run.objective[term], field, value)

    edit(0)
    oh, answers = [], []
    for step in run.synthesise():
        p = step.batch.probs  # (64, 10)
        oh.append(step.raw["oh"])
        answers.append(torch.stack([p.max(1).values.mean(), torch.special.entr(p.mean(0)).sum().exp()]))
        edit(step.i + 1)
    pictures.append(run.picture())
    return np.column_stack([oh, torch.stack(answers).tolist()])  # (steps, 3)


def compare(title, runs, column, ylabel):
    """Draw a line for each run: column 0 is oh, 1 the certainty, 2 the effective number of classes."""
    lines = [
        charts.Line(name, np.arange(len(rows)), rows[:, column], i, "noisy")
        for i, (name, rows) in enumerate(runs.items())
    ]
    return charts.Curves(title, lines, ylabel=ylabel)


# %% [markdown]
# ## Experiment 1: switch class diversity off
#
# *Predict before you run: from step 60 on, `ie` is off. What will change first, the certainty or the classes? How
# soon? To try it by hand, press Reset, Play to about step 60, Pause, switch Class diversity off, and press Play.*

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
# Until step 60, both runs are identical, number for number: they have the same seed, the same weights and the same
# latents. So every later difference was caused by this one edit. This is why the lab has Reset, and why you change
# one thing at a time. Here are the final images of both runs, made from the same latents:

# %%
sheet({"as it is": pictures[0], "ie off\nsince step 60": pictures[1]})

# %% [markdown]
# The lab's twin is such a second run. A *fork* shows two runs side by side: both continue from the current step of
# your lab, one unchanged and one with a single edit.

# %% tags=["not-banded"]
live.fork("ie", "on", False)

# %% [markdown]
# ## Experiment 2: authenticity with thirty times the weight
#
# *Predict before you run: `oh` has weight 30 from the first step. Will the teacher be surer? What is the price? To
# try it by hand, press Reset, set the weight of Authenticity to 30, and press Play.*

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
# The price of more certainty is fewer classes. The two terms conflict, and the weights decide which of them wins.
# This is the conflict that you saw in notebook 05.
#
# ## Experiment 3: no damping, and a trap
#
# *Predict before you run: `oh` and `ie` train without damping (in the lab, each card has a switch for it). Does the
# run get better, get worse, or stay the same? And how could you tell?*
#
# Remember what damping does: it multiplies a gradient by $e^{L-a}$, which the lab's cards show as the *gain*.

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
# Here is the trap: with only one seed, you would have drawn a conclusion about damping. Compare the distance between
# the two settings with the distance between the two seeds. Also compare the early steps with the late ones: the
# published anchor starts at 0, so the gain of `ie` is small in the first steps. Two seeds decide nothing. A class of
# thirty can say much more: use `begin("09_experiments", student="your name")` and `class_figure`.
#
# ### Exercise 1: bring the classes back
#
# A run (batches of 32, seed 0) has trained for 40 steps with `oh` alone, and classes are disappearing. What must you
# change at step 40 so that there are at least 7 effective classes 60 steps later? Do not change the row `oh`. Try it
# in the lab first.


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
# The museum plays recorded runs, both successes and failures. It trains nothing. Choose a run, read its question and
# think of an answer. Then press Play. Look at the cure last.

# %% tags=["not-banded"]
Museum("collapse")

# %% [markdown]
# ## More to try
#
# * Set the weight of `ds` to 100 and switch `ie` off. Do the images differ more? Are there more classes?
# * Use slow motion. Which of the 40 images change their class, and how did the teacher's certainty change just
#   before?
# * Switch `ie` off and watch the student. How long does it take to forget a class?
# * Press *readable digits* and *collapse*. How do their cards differ?
# * Set the damping strength to 20, with the anchor *previous* (under *More*). Does any loss fluctuate less?
# * Choose another method (under *More*). Which of its terms do you already know?
#
# `live.look_back()` replays the run, forwards and backwards, without training. `live.close()` ends the lab and frees
# its memory.
#
# ## What to remember
#
# * Change one thing at a time, from the same state. Only then does a difference have a single cause.
# * A weight shifts a balance: more certainty, fewer classes. To bring back lost classes, you need the term that sees
#   the whole batch.
# * What one run shows may be due to its seed. Find out how far apart two seeds are before you believe a difference.
#
# ## The paper, the code, and what we measured
#
# * **Released code**: all weights are 1; `oh` and `ie` are damped, with a new anchor every 120 steps. We have not read the body
#   of the paper.
# * **Measured here**: the results above, with typical ranges from ten seeds, for a generator of 8 channels and 120
#   steps.
# * **Where they differ**: the published generator is 16 times as wide and trains for 2,400 steps. We have not tested
#   whether the same edits have the same effects there.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | fork | two runs from the same state that differ by one edit |
# | edit | one change to one term, made before a given step |
# | effective number of classes | $e^{H}$, where $H$ is the entropy of the mean answer of a batch: 10 if all classes are equally frequent, 1 if there is only one |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
