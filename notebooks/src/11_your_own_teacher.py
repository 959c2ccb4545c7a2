# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 11 A teacher of your own
#
# **Goal.** Distil a network that you wrote and trained on your own pictures. Then learn the limits: what a teacher
# must be like, what its copy reveals about private data, and what files and code from strangers can do to your
# machine.
#
# **Time.** About 25 minutes, of which 15 seconds are computing (two CPU cores).

# %%
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

import rdskd_lab as lab
from rdskd_lab import training
from rdskd_lab.course import Figure, begin, canvas, sheet
from rdskd_lab.reporting import charts
from rdskd_lab.runs import train_teacher

lesson = begin("11_your_own_teacher")

# %% [markdown]
# ## Pictures of your own
#
# A data set is a folder: `FOLDER/train/CLASS/*.png` and `FOLDER/test/CLASS/*.png`. You can use your own folder here.
# The next cell draws four kinds of outlines in images of 28 x 28 grey pixels, with random positions, sizes and
# angles, and a little noise.

# %%
place = tempfile.TemporaryDirectory()  # deleted when this notebook's kernel stops
folder = Path(place.name)
rng = np.random.default_rng(0)
CORNERS = {"circle": 40, "cross": 0, "square": 4, "triangle": 3}


def draw(corners):
    """Draw one outline, 28 x 28 grey pixels; a cross has no corners, a circle forty."""
    radius, angle = rng.uniform(5, 10), rng.uniform(-0.35, 0.35)
    x, y = rng.uniform(radius + 1, 27 - radius, 2)
    turns = angle + 2 * np.pi * (np.arange(corners or 4) + 0.5) / (corners or 4)
    points = [(x + radius * np.sin(t), y - radius * np.cos(t)) for t in turns]
    picture = Image.new("L", (28, 28))
    for line in [points + points[:2]] if corners else [points[::2], points[1::2]]:
        ImageDraw.Draw(picture).line(line, fill=255, width=int(rng.integers(2, 4)))
    pixels = rng.uniform(0.6, 1) * np.asarray(picture, dtype=float) + rng.normal(0, 12, (28, 28))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


for part, count in (("train", 200), ("test", 100)):
    for name, corners in CORNERS.items():
        (folder / part / name).mkdir(parents=True)
        for i in range(count):
            draw(corners).save(folder / part / name / f"{i:03}.png")

# %% [markdown]
# A teacher expects *normalised* pixels: subtract the mean of its training data, then divide by their standard
# deviation. These two numbers are all that you need to know about the data, because the generator makes its images on
# this scale.
#
# *Predict before you run: the pictures show thin bright lines on black. Is the mean of all pixels (0 is black, 1 is
# white) closer to 0.1 or to 0.5?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
pixels = lab.load_data(folder, "train", size=28).images.double() / 255  # (800, 1, 28, 28)
mean, std = pixels.mean().item(), pixels.std(unbiased=False).item()
print(f"mean {mean:.4f}, standard deviation {std:.4f}")
train, test = (lab.load_data(folder, part, size=28, mean=(mean,), std=(std,)) for part in ("train", "test"))
print(len(train), "pictures to train,", len(test), "to test; classes:", ", ".join(train.classes))

# %%
figure, axes = canvas(10, 1.2, 12)
for axis, i in zip(axes, (200 * k + j for k in range(4) for j in range(3)), strict=True):
    axis.imshow(train.images[i, 0], cmap="gray")
    axis.set(xticks=[], yticks=[], title=train.classes[train.labels[i]])
alt = "Twelve pictures, three of each class: thin bright outlines of circles, crosses, squares, triangles on black."
Figure("twelve of the drawn pictures", figure, alt)

# %% [markdown]
# ## A network of your own
#
# Any `nn.Module` can be the teacher if `forward(images)` returns *logits* (N, K). The package finds the number of
# classes, the features and the BatchNorm statistics through hooks, so the network needs no other method. Our network
# takes images of 28 x 28 pixels and has four classes and no BatchNorm. Its student has the same layers with a third
# of the channels.


# %%
class Outlines(nn.Module):
    """(N, 1, 28, 28) -> logits (N, classes)."""

    def __init__(self, width, classes=4):
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, width, 5), nn.ReLU(), nn.MaxPool2d(2),  # 24 x 24, then 12 x 12
            nn.Conv2d(width, 2 * width, 5), nn.ReLU(), nn.MaxPool2d(2),  # 8 x 8, then 4 x 4
        )  # fmt: skip
        self.answer = nn.Linear(2 * width * 4 * 4, classes)

    def forward(self, images):
        return self.answer(self.look(images).flatten(1))


teacher = lab.seeded(lesson.seed, Outlines, 12).to(lesson.device)
student = lab.seeded(lesson.seed, Outlines, 4)
for name, net in (("teacher", teacher), ("student", student)):
    print(name, sum(p.numel() for p in net.parameters()), "parameters")

optimizer = torch.optim.Adam(teacher.parameters(), lr=2e-3)
order = torch.Generator().manual_seed(lesson.seed)
batches = train_teacher.labelled_batches(train, order, lesson.device)  # the only use of its data
for step in training.fit(teacher, batches, optimizer):
    if step.i == 149:
        break
lesson.band("teacher, unseen pictures", lab.accuracy(teacher, test), "%", look_at="whether it took 150 steps")

# %% [markdown]
# ## The trap in its last layer
#
# Many networks end in a softmax. A teacher must not. The package would mistake the probabilities for logits and apply
# a second softmax, and its output would be almost flat. For a perfectly sure answer, one 1 and $K-1$ zeros, the
# certainty is then at most $e/(e+K-1)$:
#
# $$\max_k p_k = \frac{e}{e + K - 1}, \qquad L_{OH} \ge \ln\!\left(1 + \frac{K-1}{e}\right).$$
#
# *Predict before you run: suppose that such a teacher has ten classes. What is the highest certainty that it can
# appear to have?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
for classes in (4, 10):
    answer = torch.eye(classes, dtype=torch.float64)[:1]  # a softmax that is perfectly sure
    by_hand = np.log(1 + (classes - 1) / np.e)
    print(f"{classes:2} classes: certainty at most {answer.softmax(1).max():.4f}, ", end="")
    print(f"one-hot loss at least {lab.one_hot(answer):.4f}, by hand {by_hand:.4f} nats")

# %% [markdown]
# Such a run would not stop with an error. The generator would try to reach a certainty that is impossible, and the
# student would learn ten nearly equal numbers.
#
# ### Exercise 1: a network that can be a teacher
#
# Write a function that returns your own network for grey images of 28 x 28 pixels and ten classes, without BatchNorm.
# It does not need to be trained. The command line calls the same kind of function if you pass
# `--teacher my_module:make`.


# %% tags=["exercise-1"]
def make():
    """A network (N, 1, 28, 28) -> logits (N, 10), without BatchNorm."""
    ...


lesson[1].check(make)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## Distil it
#
# The rest is the same as in notebook 08, but without digits, without LeNet-5, and with four classes instead of ten.
# From here on, the folder is used only for testing.
#
# *Predict before you run: the generator trains for 200 steps and the student for 400. Will the student be clearly better than
# guessing (25 %)? Will you recognise the outlines in the images that it learned from?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
settings = replace(lab.PRESETS["classroom"], generator_steps=200, student_steps=400)
run = lab.Distillation(
    teacher, student, lab.rdskd(), settings, seed=lesson.seed, device=lesson.device, channels=1, size=28
)
pictures = [run.picture()]
for step in run.synthesise():
    if step.i + 1 in (50, 200):
        pictures.append(run.picture())
for step in run.distill():
    pass
lesson.band("student, unseen pictures", lab.accuracy(student, test), "%", look_at="the teacher's first")

# %%
charts.samples(pictures, train.classes)

# %% [markdown]
# You can do the same on the command line. Put a `make` for your own classes into `my_module.py` in the current folder, and save
# the weights with `lab.save_weights(net, "mine.safetensors")`:
#
#     rdskd-lab distill --teacher my_module:make --weights mine.safetensors --student my_module:make_small \
#         --data FOLDER --channels 1 --size 28 --classes 4 --mean 0.1 --std 0.25 --out runs/mine
#
# ## Colour, and a GPU
#
# For SVHN and CIFAR-10, the package has suitable networks (wide and plain ResNets). These commands train and distil
# them:
#
#     rdskd-lab train-teacher --network wrn-40-2 --data svhn --out svhn.safetensors
#     rdskd-lab distill --teacher wrn-40-2 --weights svhn.safetensors --data svhn --preset paper-svhn --out runs/svhn
#     rdskd-lab train-teacher --network resnet34 --data cifar10 --out cifar10.safetensors
#     rdskd-lab distill --teacher resnet34 --weights cifar10.safetensors --data cifar10 --preset paper-cifar10 --out runs/cifar10
#
# Each command uses a GPU if there is one. For this course, the schedules are **not tested**; we tried only one step
# of each. From a count of multiplications, we estimate that two CPU cores would need days for SVHN and weeks for
# CIFAR-10.
#
# ## Limits
#
# * **A teacher's accuracy does not predict how good its student will be.** We tried two LeNet-5 teachers with the
#   same recipe, one seed each (`results/NOTES.md`). The first was trained on plain digits: it reaches 99.2 %, and its
#   student 97.5 %. The second was trained on rotated and shifted digits: it reaches 99.5 %, and its student **59.2
#   %**. The generator lowered its losses equally well in both runs. We did not study the reason.
# * The settings were tuned for LeNet-5 on digits. For your network they are only first guesses. If a run fails, look
#   first at the images and at the classes in the pool.
# * Only real test data can show how good a student is. Without them, you can measure how often the student agrees
#   with the teacher on generated images, but that is not the same.
#
# ## What a teacher reveals about private data
#
# "The data are gone" sounds safe. But if you give a teacher away, there are two questions. *Can somebody copy its
# skill without its data?* Yes: this course does it. *Can somebody get its training images back?* In our small
# example, we can measure this. Take the generated images that the student learned from. For each of them, find the
# nearest picture (the largest cosine), once among pictures that trained the teacher and once among the same number of
# pictures that the teacher never saw. If the teacher remembered its training pictures, the nearest one among these
# should be closer.
#
# *Predict before you run: are the generated images nearer to the training pictures than to the unseen ones?*


# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots


# %%
def nearest(images, others):
    """The largest cosine of each image with one of the others, (N,), and which one that is; each less its mean."""
    centred = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (images, others))
    a, b = (nn.functional.normalize(x) for x in centred)
    return (a @ b.T).max(1)


made = run.pool.images[-2000:].float().cpu()  # the last images that trained the generator
seen, unseen = train.normalise(train.images[::2]), test.normalise(test.images)  # 400 each, 100 of each class
lesson.band("nearest training picture", nearest(made, seen)[0].mean(), "", 2, look_at="whether there are 2000 images")
lesson.band("nearest unseen picture", nearest(made, unseen)[0].mean(), "", 2, look_at="whether there are 2000 images")
print(f"for comparison, an unseen picture and its nearest training picture: {nearest(unseen, seen)[0].mean():.2f}")

# %%
shown = made[torch.linspace(0, len(made) - 1, 8).long()]
_, which = nearest(shown, seen)
sheet({"generated": shown, "nearest\ntraining picture": seen[which]})

# %% [markdown]
# There is hardly any difference, and both numbers are far below the cosine between real outlines. The generator made
# patterns to which the teacher responds, not pictures that the teacher saw.
#
# But look closely: for nine of ten seeds, the training pictures were nearer, by 0.001 to 0.008. Is this a trace of
# memory? If so, the sign should change when the teacher is trained on the other set. We tried this with five seeds
# and 400 pictures each time. The cosine with the first set minus the cosine with the second set was 0.002 ± 0.003 for
# a teacher trained on the first set and 0.001 ± 0.004 for a teacher trained on the second (mean ± standard
# deviation). The sign does not change: nothing shows that the teacher remembers its images.
#
# This was one small teacher, 800 simple pictures and one measure. It does not prove that a model reveals nothing.
# Fredrikson and others (2015) used model inversion to recover recognisable faces from a face recogniser. And if a
# class *is* one person, the class itself is the secret. If you give a model away, think of it as a summary of its
# data. If you use somebody's model, ask whether its licence allows you to copy its skill.
#
# ## Files that can run code
#
# A *pickle*, the usual content of a `.pt` file, is a small program, and opening it can do anything. The package reads
# only numbers and names: either *safetensors*, or a state dict whose pickle contains nothing else. *Predict before
# you run: when somebody opens the file below, it tries to create a file called "harmed" on their machine. Does this
# file exist afterwards?*


# %% tags=["prediction-5"]
lesson.predict(5, ...)  # type your guess in quotes, in place of the dots


# %%
class Harm:
    """When unpickled, this makes a file."""

    def __reduce__(self):
        return Path.touch, (folder / "harmed",)


(folder / "gift.pt").write_bytes(pickle.dumps({"weight": Harm()}))
try:
    lab.load_weights(teacher, folder / "gift.pt")
except lab.networks.weights.WeightsError as refused:
    print(str(refused).replace(str(folder), "FOLDER").split(";")[0] + ": refused.")
print("harmed:", (folder / "harmed").exists())

# %% [markdown]
# A teacher's *code* is different. `--teacher my_module:make` imports this module and runs it with all your
# permissions, and every forward pass runs its code again. The package cannot check it beforehand. Use only code that
# you trust enough to run yourself. If you load only weights, and no module, no foreign code runs.
#
# ## What to remember
#
# * Any network whose `forward` returns logits can be a teacher. It must not end in a softmax, and you must know the
#   mean and the standard deviation of its training pixels.
# * The teacher's accuracy does not predict the student's.
# * If you give a model away, somebody can copy it without its data. Here the training images did not come back, but
#   there is no guarantee of this.
# * Weights are data. Pickles and modules are programs.
#
# ## The paper, the code, and what we measured
#
# * **Paper and released code**: MNIST, SVHN and CIFAR-10, with LeNet-5 and with wide and plain ResNets. The weights
#   are pickled modules. We know none of the paper's accuracies.
# * **Measured here**: four classes of drawings, a teacher trained on 800 pictures, and a student after 600 steps in
#   all, with the ranges over ten seeds above. The two teachers under "Limits" were trained with one seed each.
# * **Not tested**: the colour schedules.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | factory | a function without arguments that returns a network |
# | safetensors | a file format that holds named arrays and nothing else |
# | pickle | Python's own file format, which can run code when it is opened |
# | privacy leak | something that a model reveals about individual training examples |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
