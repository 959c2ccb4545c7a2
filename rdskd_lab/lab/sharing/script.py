"""The settings of a lab as a script: one plain PyTorch loop that anybody can read from top to bottom and run.

It imports networks and losses from the package and nothing else of it: no objective, no player, no guard.  It begins at
step 0 with the terms as they are now; edits that were made on the way are not in it.  Tests run what is written here
for every method and anchor rule and compare it with the package's own loop, in float64.
"""

from textwrap import fill, indent

from ... import __version__, losses
from ...objective import ANCHORS, Objective, Term
from ..session.experiment import RECENT, Experiment

LOSSES = {  # term: what computes it, and how it is called where x are images, t logits, z latents
    "oh": (losses.one_hot, "t"),
    "ie": (losses.information_entropy, "t"),
    "ds": (losses.diversity_seeking, "x, t.softmax(1)"),
    "act": (losses.activation, "seen[-1]"),
    "ms": (losses.mode_seeking, "x, z"),
    "bn": (losses.bn_statistics, "seen"),
    "adv": (losses.difference, "student(x), t"),
}
SIGNS = {"adv": "-"}
WIDE = 110  # characters of a line


class ExportError(ValueError):
    """A lab that no script can stand for; the message says why and what to do."""


def export_code(experiment: Experiment, own_teacher: bool = False) -> str:
    """A script of at most 60 lines that trains as `experiment` is set now, for as many steps as it has made."""
    objective, s = experiment.objective, experiment.run.settings
    _can_be_written(objective, own_teacher)
    student = experiment.learning or "student" in objective.needs
    named = [LOSSES[name][0] for name in objective]
    lesson = _lesson(experiment) if experiment.learning else None
    lines = [
        f"# {experiment.method}, seed {experiment.seed}, with the terms of a lab as they stood after step "
        f"{experiment.done:,}.  Written by rdskd-lab {__version__}.",
        "from importlib.resources import files",
        "",
        "import torch",
        "from safetensors.torch import load_file",
        "",
        *_imports(experiment, named + ([lesson] if lesson else []), student),
        "",
        f"STEPS, DTYPE = {experiment.done or s.generator_steps}, torch.float32",
        *_teacher(objective, type(experiment.run.teacher).__name__),
        f"torch.manual_seed({experiment.seed})",
        f"generator = Generator(latent={s.latent}, width={s.width}).to(DTYPE)",
        f"optimizer = torch.optim.Adam(generator.parameters(), lr={s.lr!r})",
        f"rng = torch.Generator().manual_seed({experiment.seed})  # of the latents",
        *(_student(experiment) if student else []),
        "",
        *_loop(experiment, lesson),
    ]
    return "\n".join(lines).replace("'", '"') + "\n"


def _can_be_written(objective: Objective, own_teacher: bool) -> None:
    if own_teacher:
        raise ExportError("a script holds the shipped teacher only, and this lab has one of your own; open one without")
    for name, term in objective.items():
        if name not in LOSSES:
            raise ExportError(f"no script is known for the term {name!r}; give it a row in LOSSES of lab/export.py")
        if term.rule not in ANCHORS.values():
            raise ExportError(
                f"term {name!r} has an anchor rule of your own, which no script can hold; "
                f"choose one of {', '.join(ANCHORS)}"
            )


def _imports(experiment: Experiment, named: list, student: bool) -> list[str]:
    by_module = {
        "rdskd_lab.networks.architectures": {type(experiment.run.teacher).__name__},
        "rdskd_lab.generator": {"Generator"},
    }
    if student:
        by_module["rdskd_lab.networks.architectures"].add(type(experiment.run.student).__name__)
    for function in named:
        by_module.setdefault(function.__module__, set()).add(function.__name__)
    return [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(by_module.items())]


def _teacher(objective: Objective, network: str) -> list[str]:
    weights = {"LeNet5": "lenet5", "LeNet5BN": "lenet5_bn", "LeNet5Half": "lenet5_half"}[network]
    lines = [
        f"teacher = {network}().to(DTYPE).eval().requires_grad_(False)",
        f'teacher.load_state_dict(load_file(str(files("rdskd_lab") / "assets/{weights}.safetensors")))',
    ]
    if "features" in objective.needs:
        lines += [
            "seen = []  # what enters the last layer of the teacher",
            "teacher.fc2.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))",
        ]
    if "bn" in objective.needs:
        lines += [
            "seen = []  # of each BatchNorm: mean and variance of what enters it, and those of the training data",
            "for layer in (teacher.bn1, teacher.bn2, teacher.bn3):",
            "    layer.register_forward_pre_hook(lambda layer, inputs: seen.append((inputs[0].mean((0, 2, 3)),",
            "        inputs[0].var((0, 2, 3), unbiased=False), layer.running_mean, layer.running_var)))",
        ]
    return [*lines, ""]


def _student(experiment: Experiment) -> list[str]:
    s, network = experiment.run.settings, type(experiment.run.student).__name__
    lines = [f"torch.manual_seed({experiment.seed})", f"student = {network}().to(DTYPE)"]
    if not experiment.learning:
        return [*lines, "student.requires_grad_(False)  # it learns nothing here"]
    if s.student_optimizer == "sgd":
        how = f"SGD(student.parameters(), lr={s.student_lr!r}, momentum=0.9, weight_decay=5e-4)"
    else:
        how = f"Adam(student.parameters(), lr={s.student_lr!r})"
    return [
        *lines,
        f"student_optimizer = torch.optim.{how}",
        f"student_rng = torch.Generator().manual_seed({experiment.seed + 2})  # which images it learns from",
        f"recent = []  # the last {RECENT} batches",
    ]


def _lesson(experiment: Experiment):
    return losses.difference if experiment.method == "dfad" else losses.distillation


def _loop(experiment: Experiment, lesson) -> list[str]:
    objective, s = experiment.objective, experiment.run.settings
    damped = [name for name, term in objective.items() if _asked(term) and term.damped]
    return [
        f"history, anchor = [], {dict.fromkeys(damped, 0.0)}" if damped else "history = []",
        "for i in range(STEPS):",
        f"    z = torch.randn({s.batch_size}, {s.latent}, generator=rng, dtype=DTYPE)",
        "    x = generator(z)  # images",
        *(["    seen.clear()"] if objective.needs & {"features", "bn"} else []),
        "    t = teacher(x)  # its logits",
        "    loss = {",
        *(f"        {name!r}: {_measure(name)},{_note(term)}" for name, term in objective.items()),
        "    }",
        *_descent(objective),
        "    history.append({name: value.item() for name, value in loss.items()})",
        *_moves(objective, damped),
        *(_learning(s, lesson) if lesson else []),
        "    if i % 50 == 0:",
        "        print(i, history[-1])",
    ]


def _moves(objective: Objective, damped: list[str]) -> list[str]:
    """The anchors after a step, each by its term's rule."""
    by_rule = {rule: [n for n in damped if objective[n].rule is function] for rule, function in ANCHORS.items()}
    new = {name: f"history[-1][{name!r}]" for name in damped}
    lines = []
    if by_rule["epoch"]:
        moved = ", ".join(f"{name}={new[name]}" for name in by_rule["epoch"])
        lines += ["    if i % 120 == 1:", f"        anchor.update({moved})"]
    if by_rule["previous"]:
        lines.append(f"    anchor.update({', '.join(f'{name}={new[name]}' for name in by_rule['previous'])})")
    for name in by_rule["average"]:
        mean = f"0.98 * anchor[{name!r}] + 0.02 * {new[name]}"
        lines.append(f"    anchor[{name!r}] = {new[name]} if i == 0 else {mean}")
    return lines


def _descent(objective: Objective) -> list[str]:
    asked = [_share(name, term) for name, term in objective.items() if term.on]
    if not objective.asks:
        return ["    # nothing is asked for, so nothing moves"]
    whole = f"total = {' + '.join(asked)}"
    if len(whole) > WIDE:  # broken between terms, never within one
        tied = [part.replace(" ", "~") for part in asked]
        whole = fill(f"total = ({' + '.join(tied)})", WIDE, break_long_words=False, subsequent_indent="    ")
    lines = indent(whole.replace("~", " "), "    ").splitlines()
    return [*lines, "    optimizer.zero_grad()", "    total.backward()", "    optimizer.step()"]


def _learning(s, lesson) -> list[str]:
    temperature = f", temperature={s.temperature!r}" if lesson is losses.distillation else ""
    return [
        f"    recent = [*recent, (x.detach(), t.detach())][-{RECENT}:]",
        "    images, answers = (torch.cat(part) for part in zip(*recent))",
        f"    rows = torch.randint(len(images), ({s.student_batch_size},), generator=student_rng)",
        "    student_optimizer.zero_grad()",
        f"    {lesson.__name__}(student(images[rows]), answers[rows]{temperature}).backward()",
        "    student_optimizer.step()",
    ]


def _measure(name: str) -> str:
    function, arguments = LOSSES[name]
    return f"{SIGNS.get(name, '')}{function.__name__}({arguments})"


def _note(term: Term) -> str:
    return "" if _asked(term) else "  # off: measured, not asked for" if not term.on else "  # its weight is 0"


def _share(name: str, term: Term) -> str:
    inner = f"(loss[{name!r}] - anchor[{name!r}]).exp()" if _asked(term) and term.damped else f"loss[{name!r}]"
    return inner if term.weight == 1 else f"{term.weight!r} * {inner}"


def _asked(term: Term) -> bool:
    return term.on and term.weight != 0
