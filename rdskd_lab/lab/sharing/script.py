"""The settings of a lab as a script: one plain PyTorch loop to read from top to bottom and run.

It imports networks and losses from the package and nothing else of it: no objective, no player, no check of what is
finite.  It begins at step 0 with the terms as they are now; edits made on the way are not in it.  Tests run the script
of every method and anchor rule and compare it with the package's own loop, in float64.
"""

import inspect
import re
from collections.abc import Callable
from textwrap import fill, indent

from ... import __version__
from ...methods.registry import describe
from ...objective import ANCHORS, Objective, Term
from ..session.experiment import RECENT, Experiment

WIDE = 110  # characters of a line


class ExportError(ValueError):
    """A lab that no script can express; the message says why and what to do."""


def export_code(experiment: Experiment, own_teacher: bool = False) -> str:
    """Write a script of at most 60 lines that trains as `experiment` is set now, for as many steps as it has made."""
    objective, run = experiment.objective, experiment.run
    if experiment.start:
        raise ExportError("this run begins at a shipped checkpoint, and a script at step 0; go back to RDSKD first")
    s, student = run.settings, experiment.learning or "student" in experiment.objective.needs
    tables = [objective, run.student_objective] if experiment.learning else [objective]
    _can_be_written(objective, own_teacher)
    lines = [
        f"# {experiment.method}, seed {experiment.seed}, with the terms of a lab as they stood after step "
        f"{experiment.done:,}.  Written by rdskd-lab {__version__}.",
        "from importlib.resources import files",
        "",
        "import torch",
        "from safetensors.torch import load_file",
        "",
        *_imports(run, tables, student),
        "",
        f"STEPS, DTYPE = {experiment.done or s.generator_steps}, torch.float32",
        *_teacher(objective, type(run.teacher).__name__),
        f"torch.manual_seed({experiment.seed})",
        f"generator = Generator(latent={s.latent}, width={s.width}).to(DTYPE)",
        f"optimizer = torch.optim.Adam(generator.parameters(), lr={s.lr!r})",
        f"rng = torch.Generator().manual_seed({experiment.seed})  # of the latents",
        *(_student(experiment) if student else []),
        "",
        *_loop(experiment),
    ]
    return "\n".join(lines).replace("'", '"') + "\n"


def _can_be_written(objective: Objective, own_teacher: bool) -> None:
    if own_teacher:
        raise ExportError("a script holds the shipped teacher only, and this lab has one of your own; open one without")
    for name, term in objective.items():
        if not _call(objective, name):
            raise ExportError(f"the words of term {name!r} hold no call for a script; add one: Words(..., script=...)")
        if term.rule not in ANCHORS.values():
            raise ExportError(
                f"term {name!r} has an anchor rule of your own, which no script can hold; "
                f"choose one of {', '.join(ANCHORS)}"
            )


def _imports(run, tables: list[Objective], student: bool) -> list[str]:
    used = [type(net) for net in (run.teacher, run.student)[: 1 + student]]
    for table in tables:
        for name, term in table.items():  # of the functions that a term calls, those that its script calls too
            used += [f for f in functions_of(term.measure) if re.search(rf"\b{f.__name__}\(", _call(table, name))]
    by_module = {"rdskd_lab.generator": {"Generator"}}
    for what in used:
        by_module.setdefault(what.__module__, set()).add(what.__name__)
    return [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(by_module.items())]


def functions_of(measure: Callable) -> list[Callable]:
    """Find the package's functions that a term's measure calls, in what it refers to."""
    seen = inspect.getclosurevars(measure)
    named = [*seen.nonlocals.values(), *seen.globals.values()]
    named += [getattr(m, name, None) for m in named if inspect.ismodule(m) for name in seen.unbound]
    return [f for f in named if inspect.isfunction(f) and f.__module__.startswith("rdskd_lab.")]


def _call(table: Objective, name: str) -> str:
    """Return the line that computes a term, from its words."""
    return describe(name, table.words).script


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


def _loop(experiment: Experiment) -> list[str]:
    objective, s = experiment.objective, experiment.run.settings
    damped = [name for name, term in objective.items() if _asked(term) and term.damped and term.strength]
    return [
        f"history, anchor = [], {dict.fromkeys(damped, 0.0)}" if damped else "history = []",
        "for i in range(STEPS):",
        f"    z = torch.randn({s.batch_size}, {s.latent}, generator=rng, dtype=DTYPE)",
        "    x = generator(z)  # images",
        *(["    seen.clear()"] if objective.needs & {"features", "bn"} else []),
        "    t = teacher(x)  # its logits",
        "    loss = {",
        *(f"        {name!r}: {_call(objective, name)},{_note(term)}" for name, term in objective.items()),
        "    }",
        *_first(objective, damped),
        *_descent(objective),
        "    history.append({name: value.item() for name, value in loss.items()})",
        *_moves(objective, damped),
        *(_learning(experiment.run) if experiment.learning else []),
        "    if i % 50 == 0:",
        "        print(i, history[-1])",
    ]


def _first(objective: Objective, damped: list[str]) -> list[str]:
    """Write what the first anchor is of terms whose strength is not the released code's."""
    first = ", ".join(f"{name}=loss[{name!r}].item()" for name in damped if objective[name].strength != 1)
    return ["    if i == 0:", f"        anchor.update({first})"] if first else []


def _moves(objective: Objective, damped: list[str]) -> list[str]:
    """Write how the anchors move after a step, each by its term's rule."""
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
        return ["    # nothing is minimised, so nothing moves"]
    whole = f"total = {' + '.join(asked)}"
    if len(whole) > WIDE:  # broken between terms, never within one
        tied = [part.replace(" ", "~") for part in asked]
        whole = fill(f"total = ({' + '.join(tied)})", WIDE, break_long_words=False, subsequent_indent="    ")
    lines = indent(whole.replace("~", " "), "    ").splitlines()
    return [*lines, "    optimizer.zero_grad()", "    total.backward()", "    optimizer.step()"]


def _learning(run) -> list[str]:
    s, table = run.settings, run.student_objective
    loss = " + ".join(_call(table, name) for name in table).replace("temperature=T", f"temperature={s.temperature!r}")
    loss = loss.replace("student(x), t", "student(images[rows]), answers[rows]")
    return [
        f"    recent = [*recent, (x.detach(), t.detach())][-{RECENT}:]",
        "    images, answers = (torch.cat(part) for part in zip(*recent))",
        f"    rows = torch.randint(len(images), ({s.student_batch_size},), generator=student_rng)",
        "    student_optimizer.zero_grad()",
        f"    {loss}.backward()",
        "    student_optimizer.step()",
    ]


def _note(term: Term) -> str:
    return "" if _asked(term) else "  # off: measured, not minimised" if not term.on else "  # its weight is 0"


def _share(name: str, term: Term) -> str:
    inner, rise = f"loss[{name!r}]", f"(loss[{name!r}] - anchor[{name!r}])"
    if _asked(term) and term.damped and term.strength == 1:
        inner = f"{rise}.exp()"
    elif _asked(term) and term.damped and term.strength:  # the gain is a number between 1/20 and 20
        inner = f"({term.strength!r} * {rise}).exp().clamp(1 / 20, 20).detach() * {inner}"
    return inner if term.weight == 1 else f"{term.weight!r} * {inner}"


def _asked(term: Term) -> bool:
    return term.on and term.weight != 0
