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
# **Goal.** See what data-free distillation is for, watch the whole method run once (15 seconds), and check that your machine
# is ready.
#
# **Time.** About 15 minutes, of which 20 seconds are computing (two CPU cores).
#
# The first code cell of each notebook checks your machine. If something needs fixing, it tells you what to type. Then
# it estimates how long the notebook will take on your machine, and says where the networks train: on a GPU if it finds
# one, else on the CPU. (`begin("00_start_here", device="cpu")` keeps them on the CPU. No notebook was tested on a GPU.)
# Run a cell with Shift + Enter.

# %%
import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin, five_boxes, sheet
from rdskd_lab.reporting import charts

lesson = begin("00_start_here")

# %% [markdown]
# To see everything that was checked, run `from rdskd_lab.doctor import doctor; doctor()`.
#
# ## The story
#
# Somebody trained a network to read handwritten digits, and it reads them well. But its training images are gone:
# they were private, or licensed, or on a disk that failed. Only one file of weights is left.
#
# You need a *smaller* network that does the same job on a small device. If you had the images, you would use
# *knowledge distillation*: the small network (the *student*) learns to answer as the large network (the *teacher*)
# does. Without the training images, we have nothing to show either network. Or do we?

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).eval()
student = lab.LeNet5Half()
for name, net in (("teacher", teacher), ("student", student)):
    print(f"{name}: {sum(p.numel() for p in net.parameters()):6,} numbers")

# %% [markdown]
# The course has 1,000 real digits, **for tests and for nothing else**. No network in this notebook learns from them.

# %%
test = lab.load_data("digits", "test")
digits = test.normalise(test.images)  # (1000, 1, 32, 32), a hundred of each digit
print(f"teacher, on {len(test):,} real digits: {lab.accuracy(teacher, test):.4f}")

# %% [markdown]
# ## How does a teacher answer an image that is not a digit?
#
# For each image, the teacher gives ten numbers, one per class: the *logits*. A softmax turns them into probabilities.
# We call the largest of the ten probabilities the teacher's *certainty*.
#
# *Predict before you run: we show the teacher noise, in which each pixel is random. The teacher has never seen such
# an image. How certain is it: 10 %, 50 %, 90 %? And does it find all ten digits in the noise?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
noise = torch.randn(500, 1, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
with torch.no_grad():
    logits = teacher.cpu().double()(noise)  # (500, 10)
p = logits.softmax(1)  # (500, 10), each row sums to 1
answers = torch.bincount(p.argmax(1), minlength=10)

print(f"mean certainty: {p.max(1).values.mean():.4f}")
print(f"least and most: {p.max(1).values.min():.4f} and {p.max(1).values.max():.4f}")
print("answers 0 to 9:", answers.tolist())
teacher = teacher.float()

# %% [markdown]
# Here are ten real digits and ten images of noise. Below each image are the teacher's answer and its certainty.

# %%
sheet({"real digits": digits[::100], "noise": noise[:10]}, teacher)

# %% [markdown]
# So the teacher has an answer for any image, and it prefers some answers: in noise it sees mostly a few digits. A
# student that learns from noise learns mostly about these few digits. But since the teacher answers *any* image, we
# can search for *good* images. Good images meet three requirements: the teacher is certain of them, they cover all
# classes, and they differ from each other.
#
# ### Exercise 1: how sure is it?
#
# This exercise shows how exercises work. Write a function that computes the mean certainty, which was printed above.
# `check` tests what your function returns, not how you wrote it. `hint` gives three hints, `example` shows the inputs
# of the check and the right results, and `solution` shows one possible answer. No later cell needs your answer, so
# you can always continue.


# %% tags=["exercise-1"]
def certainty(logits):
    """Logits (N, K) -> (): the mean over images of the largest probability."""
    ...


lesson[1].check(certainty)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## The plan
#
# A third network, the *generator*, turns random numbers (*latents* $z$) into images. At first its images show nothing
# recognisable, as in the picture below. But the teacher gives an answer for each image, and three *losses* measure how good the
# answers are. We use the gradient of the losses to change the generator, so that its next images are better. Then the
# student learns from these images and from the teacher's answers to them.

# %%
generator = lab.seeded(0, lab.Generator, width=8)
with torch.no_grad():
    untrained = generator(generator.latents(64, torch.Generator().manual_seed(0)))  # (64, 1, 32, 32)
five_boxes(untrained, digits[::100])

# %% [markdown]
# ## The whole method in half a minute
#
# This method is called RDSKD. You will build it piece by piece. Here it runs as a whole, for a very short time. A
# second student takes the same number of training steps, but sees only noise. Each result is printed next to its
# typical range, which was computed from ten seeds.
#
# *Predict before you run: a student has only ever seen generated images. How many of the 1,000 real digits will it
# read correctly? And how many will a student that has only seen noise read correctly? (Guessing gives 10 %.)*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
from dataclasses import replace


def distil(method, generator_steps):
    """A short run of a method; the run, with its student, and pictures before and after."""
    settings = replace(method.presets["classroom"], generator_steps=generator_steps, student_steps=400, width=8)
    fresh = lab.seeded(lesson.seed, lab.LeNet5Half)
    run = lab.Distillation(
        teacher, fresh, method.terms(), settings, method=method, seed=lesson.seed, device=lesson.device
    )
    before = run.picture()
    for step in run:
        pass
    return run, before, run.picture()


generated, before, after = distil(lab.METHODS["rdskd"], 150)
from_noise, *_ = distil(lab.METHODS["noise"], 0)
found = {
    "teacher": lab.accuracy(teacher, test),
    "student, generated images": lab.accuracy(generated.student, test),
    "student, noise": lab.accuracy(from_noise.student, test),
}
lesson.band("student that saw generated images", found["student, generated images"], "%",
            look_at="so short a run depends on its seed: notebook 08 trains longer")  # fmt: skip
lesson.band("student that saw noise", found["student, noise"], "%")

# %%
bars = charts.Line("digits read", np.arange(3), 100 * np.array(list(found.values())), 0, "bars")
charts.Curves("who reads how many of 1,000 real digits", [bars], "", unit=" %", ticks=list(found))

# %% [markdown]
# The next picture shows the images that the generator makes from the same latents before and after training, with
# real digits for comparison. The better student has only ever seen images like those in the second row.

# %%
sheet({"before": before, "after\n150 steps": after, "real digits": digits[::100]}, teacher, most=10)

# %% [markdown]
# To us, these images are not digits. To the teacher, they are. The course asks three questions: Why is that enough?
# What must we require of the generator? And what happens if we leave out one of the three losses?
#
# ## The course
#
# | notebook | what you build or break |
# |---|---|
# | 00 start here | this one |
# | [01 a tour of the lab](01_tour_of_the_lab.ipynb) | watch a generator train, switch off a loss, see what happens |
# | [02 distillation](02_distillation.ipynb) | a student that learns from a teacher's soft answers, with real data and with noise |
# | [03 generator](03_generator.ipynb) | images from random numbers, and from nothing but a gradient |
# | [04 authenticity](04_authenticity.ipynb) | the loss for images that the teacher is sure of; collapse |
# | [05 class diversity](05_class_diversity.ipynb) | the loss that brings back all classes; how it conflicts with authenticity |
# | [06 inter-sample diversity](06_inter_sample_diversity.ipynb) | the loss that makes images differ, and a division by zero |
# | [07 fluctuations and damping](07_fluctuations_and_damping.ipynb) | a detective story: the paper's best-known idea, built and tested |
# | [08 RDSKD](08_rdskd.ipynb) | the whole method in one cell, with the same results as the package; a student that reads digits |
# | [09 experiments](09_experiments.ipynb) | experiments by hand and with statistics, two runs side by side, a museum of failures |
# | [10 the field](10_the_field.ipynb) | DAFL, MSKD, ZSKD and DeepInversion compared with RDSKD |
# | [11 your own teacher](11_your_own_teacher.ipynb) | your own network, other images, and what this means for privacy |
#
# Outside the course, [robustness, for researchers](robustness_for_researchers.ipynb) shows how to test a paper's
# claims, what our hundreds of runs show, and what evidence would change your mind.
#
# Each notebook has a goal, a question before each run, some code for you to write, and figures that answer the
# questions. Always type a guess: you learn most when it is wrong. About 1 result in 20 lies outside its typical range
# by luck alone.
#
# **In a class.** `begin("00_start_here", student="your name")` gives each student their own seed for the same
# experiments. The last cell of each notebook saves what you did in one small file to hand in.
#
# ## What to remember
#
# * A teacher without its data is still a network that answers any image. The skill lies in finding good images to ask
#   it about.
# * The generator makes the images, the teacher answers them, and the student learns from the answers.
# * Real digits are used only for tests. No network learns from them.
#
# ## The paper, the code, and what we measured
#
# * **The paper**: RDSKD, *Robustness and Diversity Seeking Data-Free Knowledge Distillation* (ICASSP 2021, arXiv 2011.03749). We have
#   read the authors' code, not the body of their paper.
# * **Measured here**: the two results above. Both students took 400 steps of 128 images. The published schedule,
#   which we did not run here, has 120,000 steps of 512 images.
# * **Where they differ**: our run takes only seconds. The package's longer preset, `classroom`, reaches 97.75 ± 0.17
#   % on MNIST's official test images (README). This notebook tests on the 1,000 digits that come with the package.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | teacher, student | the trained network, and the smaller network that learns to answer as it does |
# | distillation | training a student on a teacher's answers |
# | data-free | without any image that the teacher was trained on |
# | generator, latent $z$ | a network that makes an image from random numbers; these random numbers |
# | logits, softmax | a network's raw answer, one number per class; the function that turns the logits into probabilities |
# | certainty | the largest of the teacher's probabilities for an image |
# | loss | a number that measures how bad a result is; training makes it smaller |
# | seed | the number that determines everything random in a run |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
