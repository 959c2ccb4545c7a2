# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 01 A tour of the lab
#
# **Goal.** Find your way around the lab's screen: train a generator, switch off one of its losses, and see what
# happens.
#
# **Time.** About 15 minutes, of which 10 seconds are computing (two CPU cores). Play with the lab as long as you like.
#
# In notebook 00 a generator learned to make images that the teacher recognises. Here you watch a generator learn. You
# do not need any formulas yet. Later, each loss has its own notebook.

# %%
import torch

from rdskd_lab.course import begin
from rdskd_lab.lab import Lab, Museum

lesson = begin("01_tour_of_the_lab")

# %% [markdown]
# ## Press Play
#
# Run the next cell, and the lab appears below it. Before you press **Play**, look at the 40 images. They come from a
# generator that has not learned anything yet. Below each image is the teacher's answer. (If you are reading this
# without a running kernel, you see the lab after 40 steps.)
#
# *Predict before you run: how many of the ten digits does the teacher see in these 40 images? And how many does it
# see after 200 steps of training?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
live = Lab(seed=lesson.seed, device=lesson.device, steps=40)
live

# %% [markdown]
# Press **Play**, wait for about 200 steps, and press **Pause**. From top to bottom, the screen shows:
#
# | where | what it shows |
# |---|---|
# | three numbers | how many classes there are (*effective classes*), how sure the teacher is, and how many real digits the student reads correctly |
# | five boxes | the path of a batch: random numbers, generator, teacher, losses, and the gradient back to the generator |
# | three cards | one for each loss: a switch, its weight, its damping (the subject of notebook 07), and how hard it pulls at the moment |
# | 40 images | what the generator makes of the same 40 latents; below each, the teacher's answer and how sure it is |
# | bars | how the teacher sorts the latest batches into the ten classes |
# | curves | each loss over the last 200 steps |
#
# ## One number for "how many classes"
#
# Suppose that 31 of 40 images are a 2, and each other digit occurs once. "Ten classes" would be misleading. So the lab counts
# *effective classes*: $e^H$, where $H = -\sum_k p_k \ln p_k$ is the entropy of the shares $p_k$ of the classes.
#
# *Predict before you run: how many effective classes do forty images have if there are four images of each digit?
# What if there are two digits, with twenty images of each? And what if there are 31 images of one digit and one of
# each other digit?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
for words, counts in (("four of each", [4] * 10), ("two digits", [20, 20]), ("31 and nine", [31] + [1] * 9)):
    share = torch.tensor(counts, dtype=torch.float64) / 40
    print(f"{words:12} {(-(share * share.log()).sum()).exp():.4f} effective classes")

# %% [markdown]
# ### Exercise 1: effective classes
#
# Write a function that computes this number. Some classes may have no images.


# %% tags=["exercise-1"]
def effective_classes(counts):
    """How many images of each class (K,) -> (): exp of the entropy of their shares; a class may have none."""
    ...


lesson[1].check(effective_classes)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## Switch off one loss
#
# The loss on the card *Class diversity* rewards batches that contain all ten classes. You will press **Play** again
# and switch this loss off after about 20 steps.
#
# *Predict before you run: which changes first: the images, the bars or the student? How soon?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %% [markdown]
# Now try it in the lab above. The picture shows step 300 of a run in which this loss was switched off at step 160:
#
# ![The lab after 300 steps: most images are called 2, one bar of the histogram stands high, the curve of class diversity has left its twin, the student's accuracy has fallen.](../results/lab-collapsed.png)
#
# After a change, the lab also trains a **twin**: the same run without your change, from the same weights and the same
# latents. The twin is drawn in grey. So every difference between the coloured curves and the grey ones comes from
# your change, or from luck. As soon as the lab can tell which of the two it is, it says so in a sentence.
#
# Switch *Class diversity* on again. Within seconds, the bars become nearly equal.
#
# ## What else there is
#
# * **Reset** goes back to the first step but keeps the switches as you set them.
# * **More** holds everything else: other methods, seeds, slow motion, one step shown in stages, looking back, sharing
#   and reporting.
# * *readable digits* and *collapse* are two runs worth seeing. In the first, the teacher has BatchNorm layers and the
#   images look like digits. In the second, the generator makes the same image forty times.
# * The **museum** holds recorded runs, both successful and failed. Nothing is trained there, so it works on a slow
#   machine too.

# %% tags=["not-banded"]
Museum("collapse")

# %% [markdown]
# ## What to remember
#
# * The lab trains while you watch. A change takes effect before the next step.
# * The twin shows what would have happened without your change.
# * Effective classes count classes by their shares: ten equally frequent classes give 10; a single class gives 1.
#
# ## The paper, the code, and what we measured
#
# * **Released code**: RDSKD has all three losses on, each with weight 1. The lab starts with the same setting.
# * **Measured here**: nothing. One run of the lab is one seed. Notebook 09 uses ten seeds to measure what you see in
#   the lab.
# * **Where they differ**: the lab's generator is much narrower than the published one, so that many steps fit into a second.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | step | one batch of images and one update of the generator's weights |
# | term | one of the losses that are added together; RDSKD has three |
# | effective classes | $e^H$, where $H$ is the entropy of the shares of the classes: 10 if all ten are equally frequent, 1 if there is only one |
# | twin | the same run without your last change |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
