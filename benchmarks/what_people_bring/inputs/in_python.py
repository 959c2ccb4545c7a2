"""What people write in a cell or a script: `python in_python.py NAME`.

A ValueError is the sentence that a user is meant to read; any other exception is a traceback.  "constructed" on stderr
says that Distillation's constructor let the networks through.  Exit status 99 (`silent`) says that the result is wrong
and that no word was said.
"""

import sys
from dataclasses import asdict, replace

import students
import teachers

from rdskd_lab import PRESETS, Distillation, rdskd

TINY = replace(PRESETS["classroom"], generator_steps=4, batch_size=16, student_steps=4, student_batch_size=16, width=4)


def run(teacher, student, objective=None, settings=TINY, **how):
    made = Distillation(teacher, student, rdskd() if objective is None else objective, settings, **how)
    print("constructed", file=sys.stderr)
    for _ in made:
        pass
    return made


def silent(wrong, what):
    if wrong:
        print(what)
        sys.exit(99)


def features(net, right):
    """What the package takes for the features of `net` against `right(images)`."""
    import torch

    from rdskd_lab.batch import Batch, read

    images = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    found = read(net, Batch(images), needs=("features",)).features
    silent(
        found is None or found.shape != right(images).shape or not found.allclose(right(images)),
        f"taken for features: {None if found is None else tuple(found.shape)}",
    )


def untouched():
    """Distillation with two good networks."""
    run(teachers.trained(), students.plain())


def no_teacher():
    """The teacher is None."""
    run(None, students.plain())


def teacher_by_name():
    """The teacher is the string "lenet5"."""
    run("lenet5", students.plain())


def teacher_class():
    """The teacher is a class, not a network."""
    run(teachers.Module, students.plain())


def teacher_function():
    """The teacher is a function."""
    run(teachers.trained().forward, students.plain())


def teacher_state_dict():
    """The teacher is a state dict."""
    run(teachers.trained().state_dict(), students.plain())


def teacher_no_grad():
    """The teacher's forward is decorated with no_grad."""
    run(teachers.no_grad(), students.plain())


def teacher_softmax():
    """The teacher ends in a softmax."""
    run(teachers.softmax(), students.plain())


def teacher_dict():
    """The teacher answers a dict with "logits"."""
    run(teachers.dict_logits(), students.plain())


def teacher_colour():
    """The teacher takes colour; `channels` was forgotten."""
    run(teachers.colour(), students.plain())


def size_30():
    """size=30."""
    run(teachers.grey_30(), teachers.grey_30(), size=30)


def size_pair():
    """size=(32, 32)."""
    run(teachers.trained(), students.plain(), size=(32, 32))


def no_student():
    """The student is None."""
    run(teachers.trained(), None)


def student_seven():
    """The student answers 7 classes."""
    run(teachers.trained(), students.seven_classes())


def student_tuple():
    """The student answers a tuple."""
    run(teachers.trained(), students.answers_tuple())


def student_is_teacher():
    """The student is the teacher."""
    net = teachers.trained()
    run(net, net)


def preset_by_name():
    """Settings given as the name of a preset."""
    run(teachers.trained(), students.plain(), settings="classroom")


def settings_dict():
    """Settings given as a dict."""
    run(teachers.trained(), students.plain(), settings=asdict(TINY))


def objective_list():
    """The objective is a list of names."""
    run(teachers.trained(), students.plain(), objective=["oh", "ie"])


def odd_batch():
    """batch_size=15."""
    run(teachers.trained(), students.plain(), settings=replace(TINY, batch_size=15))


def batch_above_pool():
    """student_batch_size above the pool."""
    run(teachers.trained(), students.plain(), settings=replace(TINY, student_batch_size=1000))


def device_absent():
    """device="cuda" where there is none."""
    run(teachers.trained(), students.plain(), device="cuda")


def seed_text():
    """seed="0"."""
    run(teachers.trained(), students.plain(), seed="0")


def teacher_kept():
    """After a run the teacher is as it was: mode, requires_grad, weights."""
    net = teachers.trained().train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    run(net, students.plain())
    same = all(t.equal(before[name]) for name, t in net.state_dict().items())
    silent(not (same and net.training and all(p.requires_grad for p in net.parameters())), "the teacher has changed")


def teacher_always_training():
    """A teacher that calls self.train() in forward: after the run its BatchNorm statistics are other ones."""
    net = teachers.always_training()
    before = net.norm.running_var.clone()
    run(net, students.plain())
    silent(before != net.norm.running_var, "the teacher's running_var has changed")


def teacher_in_place():
    """A teacher that changes its input in place: the images that the student learns from are other ones."""
    net, seen = teachers.in_place(), []
    net.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    made = run(net, students.plain(), settings=replace(TINY, generator_steps=1))
    silent(
        not any(x.shape == made.pool.images.shape and x.half().equal(made.pool.images) for x in seen),
        "the pool does not hold what the generator made",
    )


def features_head_first():
    """DAFL's features of a network that defines its head before its body."""
    net = teachers.head_first()
    features(net, lambda x: net.body(x.flatten(1)).relu())


def features_aux_last():
    """DAFL's features of a network with an auxiliary layer that is not run."""
    net = teachers.aux_last()
    features(net, lambda x: net.body(x.flatten(1)).relu())


def features_matrix_head():
    """DAFL's features of a network whose head is a matrix: its last linear layer is the body."""
    net = teachers.matrix_head()
    features(net, lambda x: net.body(x.flatten(1)).relu())


def features_conv_head():
    """DAFL's features of a network whose head is a convolution."""
    net = teachers.conv_head()
    features(net, lambda x: net.body(x).relu())


def features_tokens():
    """DAFL's features of a network that runs its head on each token."""
    net = teachers.head_of_tokens()
    features(net, lambda x: net.embed(x.unflatten(2, (-1, 8)).flatten(2).unflatten(2, (-1, 64)).flatten(1, 2)).mean(1))


def save_two_names():
    """save_weights of a network with one layer under two names."""
    from rdskd_lab import load_weights, save_weights

    save_weights(students.two_names(), "net.safetensors")
    load_weights(students.two_names(), "net.safetensors")


def load_pt():
    """load_weights(net, "net.pt") with a state dict that torch.save wrote."""
    import torch

    from rdskd_lab import LeNet5, load_weights

    torch.save(teachers.trained().state_dict(), "net.pt")
    load_weights(LeNet5(), "net.pt")


def evaluate_tuple():
    """accuracy(net, split) of a network that answers a tuple."""
    from rdskd_lab import accuracy, load_data

    print(accuracy(teachers.tuple_logits_first(), load_data("digits", "test")))


def evaluate_no_parameters():
    """accuracy(net, split) of a network without parameters."""
    from rdskd_lab import accuracy, load_data

    print(accuracy(teachers.no_parameters(), load_data("digits", "test")))


def lab(**how):
    from rdskd_lab.lab import Lab

    Lab(mode="inline", steps=2, **how)


def lab_untouched():
    """Lab()."""
    lab()


def lab_seven():
    """Lab(teacher=...) with a network of 7 classes."""
    lab(teacher=teachers.small(classes=7))


def lab_by_name():
    """Lab(teacher="lenet5")."""
    lab(teacher="lenet5")


def lab_tuple():
    """Lab(teacher=...) with a network that answers a tuple."""
    lab(teacher=teachers.tuple_logits_first())


def lab_no_grad():
    """Lab(teacher=...) with a network under no_grad."""
    lab(teacher=teachers.no_grad())


def lab_28():
    """Lab(teacher=...) with a network for 28 x 28."""
    lab(teacher=teachers.grey_28())


def colab_elsewhere():
    """A notebook's first cell where google.colab exists and lacks enable_custom_widget_manager."""
    import json
    import types

    import rdskd_lab

    stub = types.ModuleType("google.colab")
    stub.output = types.ModuleType("google.colab.output")
    sys.modules |= {"google": types.ModuleType("google"), "google.colab": stub}
    notebook = json.load(open(rdskd_lab.__path__[0] + "/../notebooks/02_distillation.ipynb"))
    exec("".join(next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["source"]), {})


def notebook_cell_twice():
    """Notebook 07's cell that trains, run twice in one kernel, then the rest."""
    import json

    import rdskd_lab

    notebook = json.load(open(rdskd_lab.__path__[0] + "/../notebooks/07_fluctuations_and_damping.ipynb"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    train = next(i for i, cell in enumerate(cells) if "in run.synthesise()" in cell)
    space = {"__name__": "__main__"}
    for cell in [*cells[: train + 1], *cells[train:]]:
        if "lesson[" not in cell:
            exec(cell, space)


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]]()
    except ValueError as error:
        print("rdskd-lab:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
