# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 00 Start here: a teacher whose data is gone
#
# **Goal.** See what data-free distillation is for, look at its whole course once in half a minute, and find out whether this
# machine is ready.
#
# **Time.** About 10 minutes, of which 15 seconds are computing (two CPU cores).
#
# The first cell of each notebook looks at your machine. If something has to be mended, it says what to type; then it says how
# long the notebook's computing will take *here*. Run a cell with Shift + Enter.

# %%
import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin
from rdskd_lab.reporting import charts

lesson = begin("00_start_here")

# %% [markdown]
# `from rdskd_lab.doctor import doctor; doctor()` shows everything that it looked at.
#
# ## The story
#
# Somebody trained a network to read handwritten digits. It reads well. Its training images are gone: they were private, or
# licensed, or on a disk that broke. What is left is one file with weights.
#
# You need a *smaller* network that does the same, for a small device. With the images you would train it on them
# (*knowledge distillation*: the small network, the *student*, learns to answer as the large one, the *teacher*, does). Without
# them there is nothing to show to the two. Or is there?

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).eval()
student = lab.LeNet5Half()
for name, net in (("teacher", teacher), ("student", student)):
    print(f"{name}: {sum(p.numel() for p in net.parameters()):6,} numbers")

# %% [markdown]
# The course keeps 1,000 real digits, **to measure with and for nothing else**. No network here learns from them.

# %%
test = lab.load_data("digits", "test")
print(f"teacher, on {len(test):,} real digits: {lab.accuracy(teacher, test):.4f}")

# %% [markdown]
# ## What does a teacher say to something that is no digit?
#
# It answers with one number per class, the *logits*; a softmax makes them probabilities. How *sure* it is of an image is the
# largest of the ten.
#
# *Predict before you run: we show it noise, each pixel drawn at random. It never saw such a thing. How sure is it: 10 %, 50 %,
# 90 %? And does it find all ten digits in the noise?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
noise = torch.randn(500, 1, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
with torch.no_grad():
    logits = teacher.double()(noise)  # (500, 10)
p = logits.softmax(1)  # (500, 10), each row sums to 1
answers = torch.bincount(p.argmax(1), minlength=10)

print(f"mean certainty: {p.max(1).values.mean():.4f}")
print(f"least and most: {p.max(1).values.min():.4f} and {p.max(1).values.max():.4f}")
print("answers 0 to 9:", answers.tolist())
teacher = teacher.float()

# %% [markdown]
# So a teacher has an opinion about anything, and it is lopsided: in noise it sees a few digits only. A student that learns
# from noise hears about those few. But if a teacher answers *anything*, we can look for images to which it gives *good*
# answers: sure ones, of all classes, and many different ones.
#
# ### Exercise 1: how sure is it?
#
# To get to know the exercises: write the certainty that was just printed as a function. `check` looks at what your function
# does, never at how it is written. `hint` has three hints, from a nudge to nearly the line; `example` shows the inputs of the
# check and what should come out; `solution` shows one answer. Nothing below needs your answer, so you can always go on.


# %% tags=["exercise-1"]
def certainty(logits):
    """Logits (N, K) -> (): the mean over images of the largest probability."""
    ...


lesson[1].check(certainty)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## The whole course in half a minute
#
# A third network, the *generator*, turns random numbers (*latents* $z$) into images. It learns from the teacher's reaction:
# images of which the teacher is sure, of all classes, unlike each other. Then the student learns from those images and the
# teacher's answers to them. This is RDSKD, which you will build piece by piece; here it runs as a whole, very short. A
# second student learns for as long from noise.
#
# *Predict before you run: how many of the 1,000 real digits will a student read that has only ever seen painted images? And
# the one that has seen noise? (Guessing gives 10 %.)*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
from dataclasses import replace


def distil(method, generator_steps):
    """A short run of a method; the run, with its student."""
    settings = replace(method.presets["classroom"], generator_steps=generator_steps, student_steps=400, width=8)
    fresh = lab.seeded(lesson.seed, lab.LeNet5Half)
    run = lab.Distillation(teacher, fresh, method.terms(), settings, method=method, seed=lesson.seed)
    for step in run:
        pass
    return run


painted, from_noise = distil(lab.METHODS["rdskd"], 150), distil(lab.METHODS["noise"], 0)
found = {
    "teacher": lab.accuracy(teacher, test),
    "student, painted images": lab.accuracy(painted.student, test),
    "student, noise": lab.accuracy(from_noise.student, test),
}
lesson.band("student that saw painted images", found["student, painted images"], "%",
            look_at="so short a run depends on its seed: notebook 08 trains longer")  # fmt: skip
lesson.band("student that saw noise", found["student, noise"], "%")

# %%
bars = charts.Line("digits read", np.arange(3), 100 * np.array(list(found.values())), 0, "bars")
charts.Curves("who reads how many of 1,000 real digits", [bars], "", unit=" %", ticks=list(found))

# %% [markdown]
# Images like these are all that the better student has ever seen, in rows by what the teacher takes them for:

# %%
charts.samples([painted.picture()], [str(k) for k in range(10)])

# %% [markdown]
# They are not digits to us. They are what this teacher takes for digits. That is the riddle of the course: why is it enough,
# what has to be asked of the generator, and what happens if one of the demands is left out?
#
# ## The course
#
# | notebook | what you build or break |
# |---|---|
# | 00 start here | this one |
# | [01 a tour of the lab](01_tour_of_the_lab.ipynb) | watch a generator train, switch off a loss, see what happens |
# | [02 distillation](02_distillation.ipynb) | a student that learns a teacher's soft answers, with data and with noise |
# | [03 generator](03_generator.ipynb) | images from random numbers, and from nothing but a gradient |
# | [04 authenticity](04_authenticity.ipynb) | the loss for images that the teacher is sure of; collapse |
# | [05 class diversity](05_class_diversity.ipynb) | the loss for all classes; cure and conflict |
# | [06 inter-sample diversity](06_inter_sample_diversity.ipynb) | the loss for images that differ, and a division by zero |
# | [07 fluctuations and damping](07_fluctuations_and_damping.ipynb) | a detective story: the paper's best-known idea, built and tested |
# | [08 RDSKD](08_rdskd.ipynb) | the whole method in one cell, equal to the package's; a student that reads |
# | [09 experiments](09_experiments.ipynb) | experiments by hand and in numbers, two runs side by side, a museum of failures |
# | [10 the field](10_the_field.ipynb) | DAFL, MSKD, ZSKD and DeepInversion beside RDSKD |
# | [11 your own teacher](11_your_own_teacher.ipynb) | a network of your own, other images, and what this says about privacy |
#
# Apart from the course, [robustness, for researchers](robustness_for_researchers.ipynb) shows how to test a paper's claims, what
# our hundreds of runs answer, and what would change your mind.
#
# Each has a goal, a question before each run (type your guess: you learn most where it is wrong), your own piece of code
# compared with the package's, and a figure that answers the question. A result stands beside its typical range, which comes
# from ten seeds: *yours ..., typical ... to ...*. About 1 run in 20 lies outside by luck alone.
#
# **In a class.** `begin("00_start_here", student="your name")` gives each student a seed of their own for the same
# experiments. The last cell of each notebook hands in what you did, as one small file.
#
# ## What to remember
#
# * A teacher without its data is a network that answers anything; the art is to ask it good questions.
# * A generator paints the questions, the teacher judges them, the student learns from the answers.
# * Real digits only measure; nothing learns from them.
#
# ## The paper, the code, and what we measured
#
# * **The paper**: RDSKD, *Robustness and Diversity Seeking Data-Free Knowledge Distillation* (ICASSP 2021, arXiv 2011.03749). We have
#   read the authors' code, not the body of their paper.
# * **Measured here**: the two bands above; both students took 400 steps of 128 images. The published schedule has 120,000 steps
#   of 512 and was not run here.
# * **Where they differ**: ours is a glimpse of seconds. The package's preset `classroom` reaches 97.75 ± 0.17 % on MNIST's official
#   test images (README); this notebook tests on 1,000 shipped digits.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | teacher, student | the trained network, and the smaller one that learns to answer as it does |
# | distillation | training a student on a teacher's answers |
# | data-free | without one image that the teacher was trained on |
# | generator, latent $z$ | a network that paints an image from random numbers, and those numbers |
# | logits, softmax | a network's raw answer, one number per class; what makes probabilities of it |
# | seed | the number that fixes everything random in a run |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
