"""Slow motion: the next step in stages, z -> G -> images -> teacher -> each loss -> sum -> gradients -> step.

The step is made once on a copy of the run; its numbers are shown a stage at a time, each beside its formula and the
source of the functions that compute it.  With the last stage the lab makes the step that was shown: its history is
the one that it would have had without looking.
"""

import inspect
import textwrap
import weakref
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from torch import Tensor, nn

from ...batch import Batch, read, watch
from ...generator import Generator
from ...methods.registry import describe
from ...objective import Objective, Term
from ...reporting.history import number
from ...training import Step, descend
from ..drawing.sheet import mosaic, sheet, source
from ..session.cores import leave_a_core
from ..session.experiment import Experiment, gradient_at, to_bytes
from ..session.record import rule_of
from ..sharing.script import functions_of

PICTURES = 16  # images of the batch that are shown


@dataclass(frozen=True)
class Stage:
    """One stop on the way through an iteration."""

    name: str
    says: str  # what happens, in a sentence or two
    formula: str  # HTML
    values: tuple[tuple[str, str], ...]  # what, and its shape or number
    code: tuple[Callable, ...]  # what computes it
    marks: tuple[str, ...] = ()  # parts of the lines of `code` that matter here
    picture: str = ""  # HTML

    def source(self) -> list[tuple[str, list[tuple[bool, str]]]]:
        """Return (where, lines) of each function of the package; each line with whether it matters here."""
        found = []
        for function in self.code:
            lines = textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()
            where = f"{function.__module__.removeprefix('rdskd_lab.').replace('.', '/')}.py, {function.__qualname__}"
            where = where.replace("<locals>.", "").replace(".<lambda>", "")
            found.append((where, [(any(mark in line for mark in self.marks), line) for line in lines]))
        return found

    def __str__(self) -> str:
        wide = max((len(what) for what, _ in self.values), default=0)
        lines = [self.name, "-" * len(self.name), *textwrap.wrap(self.says, 100), "", f"    {plain(self.formula)}", ""]
        lines += [f"{what.ljust(wide)}  {value}" for what, value in self.values]
        for where, code in self.source():
            lines += ["", f"# {where}", *(f"{'>' if marked else ' '} {line}".rstrip() for marked, line in code)]
        return "\n".join(lines) + "\n"


class Rehearsal:
    """The next step of an experiment, made on a copy of its run: the `stages`, and `step` itself.  Changes nothing.

    Raises FloatingPointError, as the step itself would, if it is refused because something is not finite.
    """

    def __init__(self, experiment: Experiment):
        self.experiment, self.key = experiment, key(experiment)
        self.terms = deepcopy(experiment.objective)  # with the anchors of this step
        run = experiment.run.copy()
        self.generator, self.objective = run.generator, run.objective
        self.before = {name: p.detach().clone() for name, p in self.generator.named_parameters()}
        self.shapes: list[tuple[str, str]] = []
        hooks = [layer.register_forward_hook(self._note) for layer in (self.generator.project, *self.generator.paint)]
        self.step: Step = next(run.synthesise(endless=True))
        for hook in hooks:
            hook.remove()
        self.gradients = {name: p.grad for name, p in self.generator.named_parameters() if p.grad is not None}
        self.stages = [*self._way(), *self._losses(), self._sum(), self._gradients(), self._move()]

    def _note(self, layer, inputs, output):
        if not isinstance(layer, nn.Identity):  # what the fast generator leaves of a doubling
            name = {"UpsampledConv2d": "Upsample and Conv2d"}.get(type(layer).__name__, type(layer).__name__)
            self.shapes.append((name, shape(output)))

    def _way(self) -> Iterator[Stage]:
        """z -> G -> images -> teacher (-> student)"""
        batch, n = self.step.batch, len(self.step.batch.images)
        classes, z, x = self.experiment.classes, batch.z, batch.images
        weights = sum(p.numel() for p in self.generator.parameters())
        yield Stage(
            "latents",
            f"{n} latents are drawn at random; each will become one image.",
            "z ~ N(0, I)",
            (("z", shape(z)), ("of the first", few(z[0])), *spread(z)),
            (Generator.latents,),
            ("torch.randn",),
        )
        yield Stage(
            "generator",
            f"A network of {weights:,} weights makes an image of each latent, layer by layer.",
            "x = G(z)",
            tuple((f"{i}. {name}", size) for i, (name, size) in enumerate(self.shapes, 1)),
            (Generator.forward,),
        )
        labels, sure = batch.probs.argmax(1), batch.probs.amax(1)
        yield Stage(
            "images",
            "These are the images that the generator makes now. Its last layer gives pixels mean 0 and variance 1, the "
            "scale of the data that the teacher knows.",
            "x = (h − mean h) ∕ √(var h + ε)",
            (("x", shape(x)), *spread(x), ("darkest", number(x.min().item())), ("brightest", number(x.max().item()))),
            (Generator.sample,),
            ("return",),
            paint(x, labels, sure, classes, self.step.i),
        )
        t, p = batch.logits[0], batch.probs[0]
        yield Stage(
            "teacher",
            "The frozen teacher answers each image with one logit a class; softmax makes probabilities of them. It "
            "learns nothing, but gradients pass through it to the images.",
            "p<sub>ik</sub> = exp t<sub>ik</sub> ∕ Σ<sub>j</sub> exp t<sub>ij</sub>",
            (
                ("t", shape(batch.logits)),
                ("t of the first", few(t, 10)),
                ("p of the first", few(p, 10)),
                ("so it sees", f"{classes[int(labels[0])]}, and is {p.max().item():.0%} sure"),
                ("sure on average", f"{sure.mean().item():.0%}"),
            ),
            (read, Batch.probs.fget),
            ("logits = teacher", "softmax"),
        )
        if batch.student is not None:
            gap = (batch.student - batch.logits).abs().mean().item()
            yield Stage(
                "student",
                "The student answers the same images. It learns nothing here.",
                "s = S(x)",
                (
                    ("s", shape(batch.student)),
                    ("s of the first", few(batch.student[0], 10)),
                    ("mean |s - t|", number(gap)),
                ),
                (watch,),
                ("functional_call",),
            )

    def _losses(self) -> Iterator[Stage]:
        for name, term in self.terms.items():
            loss, about = self.step.raw[name], describe(name, self.terms.words)
            values = [("L", f"{figures(loss)} {about.unit}; range {about.range}")]
            if term.on and term.damped:
                anchor, gain = figures(term.start(self.step.raw[name])), figures(self.step.gain[name])
                strength = [("strength b", figures(term.strength))] if term.strength != 1 else []
                name_of_gain = "gain exp(b (L - a)), 1/20 to 20" if strength else "gain exp(L - a)"
                values += [*strength, ("anchor a", anchor), (name_of_gain, gain)]
            values.append(("weight w", f"{term.weight:g}"))
            values.append(("goes into the sum", figures(self._part(name)) if term.on else "nothing"))
            yield Stage(
                f"{name}: {about.name}",
                about.purpose + ("" if term.on else " It is off: measured, but not minimised."),
                f"L = {about.formula}",
                tuple(values),
                (term.measure, *functions_of(term.measure)),
                (f"{name}=", f"{name}:"),
            )

    def _part(self, name: str) -> float:
        """Return what a term that is on adds to the sum."""
        term = self.terms[name]
        return term.asked(torch.tensor(self.step.raw[name], dtype=torch.float64)).item()

    def _sum(self) -> Stage:
        parts = {name: self._part(name) for name, term in self.terms.items() if term.on}
        strong = any(term.on and term.damped and term.strength != 1 for term in self.terms.values())
        damped = "exp(b (L - a)) / b" if strong else "exp(L - a)"
        return Stage(
            "sum",
            f"What is on is added up, a damped term as {damped}: its gradient is multiplied by the gain, which grows "
            "when the loss rises above its anchor."
            if self.terms.asks
            else "Nothing is minimised, so nothing will move.",
            f"total = Σ<sub>damped</sub> w {damped.replace('-', '−')} + Σ<sub>plain</sub> w L",
            tuple((name, figures(value)) for name, value in [*parts.items(), ("total", sum(parts.values()))]),
            (Term.asked, Objective.__call__),
            ("return self.weight", "sum(asked)"),
        )

    def _gradients(self) -> Stage:
        at_images = self._at_images()
        norm = sum(g.square().sum() for g in self.gradients.values()) ** 0.5 if self.gradients else torch.zeros(())
        return Stage(
            "gradients",
            "Backwards: how would the sum change if a pixel changed, and from there, if a weight of the generator did?",
            "g = ∂ total ∕ ∂ weights",
            (
                *((f"norm at the images, {name}", number(g.norm().item())) for name, g in at_images.items()),
                *((f"at {name}", f"{shape(g)}; norm {number(g.norm().item())}") for name, g in self.gradients.items()),
                ("norm of g", figures(norm.item())),
            ),
            (descend,),
            ("zero_grad", "backward"),
            push(self.step.batch.images, sum(at_images.values(), torch.zeros_like(self.step.batch.images))),
        )

    def _at_images(self) -> dict[str, Tensor]:
        """Take each asked term's gradient at the images, weight and damping in it."""
        images = self.step.batch.images.clone().requires_grad_()
        seen = self.experiment.run.show(Batch(images, z=self.step.batch.z))
        asked = {name: term for name, term in self.terms.items() if term.on and term.weight}
        return {name: gradient_at(images, term.asked(term.measure(seen))) for name, term in asked.items()}

    def _move(self) -> Stage:
        after = {name: p.detach() for name, p in self.generator.named_parameters()}
        moved = max((after[name] - self.before[name]).abs().max().item() for name in after)
        first = next(iter(after))
        a, b = (figures(weights[first].flatten()[0].item()) for weights in (self.before, after))
        anchors = [
            (f"anchor of {name} ({rule_of(term) or 'own'})", f"{figures(term.anchor)} → {figures(moving.anchor)}")
            for (name, term), moving in zip(self.terms.items(), self.objective.values(), strict=True)
            if term.damped
        ]
        moves = "Adam moves each weight against its gradient, by about the learning rate"
        moves = moves if self.terms.asks else "Nothing is minimised, so no weight moves"
        learns = " The student was trained on the latest batches." if self.experiment.learning else ""
        rate = f"{self.experiment.run.settings.lr:g}"
        return Stage(
            "step",
            f"{moves}; then the anchors move by their rules. The lab has made this step: {self.step.i + 1:,} are "
            f"done.{learns}",
            "weight ← weight − lr · m̂ ∕ (√v̂ + ε)",
            (("learning rate", rate), (f"{first}[0]", f"{a} → {b}"), ("largest move", number(moved)), *anchors),
            (descend, Objective.re_anchor),
            ("optimizer.step()", "term.anchor ="),
        )


class SlowMotion:
    """The stages of one lab's next step: `html` for the screen, and `stages` as text."""

    def __init__(self, lab):
        self.lab = weakref.proxy(lab)
        self.rehearsal: Rehearsal | None = None
        self.at = 0  # which stage is shown
        self.made = False  # whether the lab has made the step that is shown
        self.said = self.html = ""  # what was said last of the stage that is shown, and its page

    def forward(self) -> None:
        """Show the next stage of the next step, the first one if none is shown."""
        self.lab.player.ask(self._next)

    def backward(self) -> None:
        """Show the stage before."""
        self.lab.player.ask(self._back)

    def leave(self) -> None:
        """Hide the stages."""
        self.lab.player.ask(self._leave)

    def stages(self) -> Iterator[Stage]:
        """Yield the stages of the next step; before the last one, the lab makes that step."""
        with leave_a_core():
            rehearsal = Rehearsal(self.lab.experiment)
        yield from rehearsal.stages[:-1]
        if key(self.lab.experiment) != rehearsal.key:
            raise RuntimeError("the lab has moved on since the first stage, so this step is not its next; begin again")
        self.lab.play(1)
        yield rehearsal.stages[-1]

    def refresh(self) -> None:
        """Show the stage as things stand: an edit changes the next step."""
        if self.rehearsal is not None and not self.made and key(self.lab.experiment) != self.rehearsal.key:
            if self.rehearsal.experiment is self.lab.experiment and self.rehearsal.step.i == self.lab.experiment.done:
                self._rehearse(self.at)
            else:
                self.rehearsal = None
        self.html = page(self.rehearsal, self.at) if self.rehearsal is not None else ""
        if self.html:
            said = f"stage {self.at + 1} of {len(self.rehearsal.stages)}: {self.rehearsal.stages[self.at].name}"
            if said != self.said:
                self.said = self.lab.liveness.sentence = said

    # ---- on the main thread, between two steps

    def _next(self):
        if self.lab.player.playing:
            self.lab.player.stop("Paused, to look at the next step in stages.")
        if self.rehearsal is None or (self.made and self.at == len(self.rehearsal.stages) - 1):
            self._rehearse(0)
        else:
            self.at += 1
        if self.rehearsal is not None and self.at == len(self.rehearsal.stages) - 1 and not self.made:
            self.made = True
            self.lab.play(1)

    def _back(self):
        self.at = max(0, self.at - 1)

    def _leave(self):
        self.rehearsal, self.said = None, ""

    def _rehearse(self, at):
        try:
            with leave_a_core():
                self.rehearsal = Rehearsal(self.lab.experiment)
        except FloatingPointError as error:
            self.rehearsal = None
            self.lab.player.stop(f"The next step cannot be made. {error}")
        self.at, self.made = at, False


# ---- words and numbers -----------------------------------------------------------------------------------------------


def key(experiment: Experiment) -> tuple:
    """Return what decides the next step, apart from weights: another key is another step."""
    terms = [(t.weight, t.on, t.damped, t.strength, t.rule, t.anchor) for t in experiment.objective.values()]
    return id(experiment), experiment.done, experiment.learning, *terms


def page(rehearsal: Rehearsal, at: int) -> str:
    """Write a stage as HTML, below the list of all stages."""
    stage = rehearsal.stages[at]
    way = "".join(
        f"<li{' aria-current=step' if k == at else ''}>{escape(one.name.split(':')[0])}</li>"
        for k, one in enumerate(rehearsal.stages)
    )
    rows = "".join(f"<tr><th scope=row>{escape(w)}</th><td>{escape(v)}</td></tr>" for w, v in stage.values)
    code = "".join(
        f"<h5>{escape(where)}</h5><pre tabindex=0>"
        + "\n".join(f"<mark>{escape(line)}</mark>" if marked else escape(line) for marked, line in lines)
        + "</pre>"
        for where, lines in stage.source()
    )
    return (
        f'<div class="rdskd"><div class="stage"><ol>{way}</ol>'
        f"<h4>Step {rehearsal.step.i:,}, stage {at + 1} of {len(rehearsal.stages)}: {escape(stage.name)}</h4>"
        f'<p>{escape(stage.says)}</p><p class="formula">{stage.formula}</p>'
        f"{stage.picture}<table><tbody>{rows}</tbody></table>{code}"
        "</div></div>"
    )


def plain(formula: str) -> str:
    """Write a formula's HTML as text: subscripts after an underscore."""
    return formula.replace("<sub>", "_").replace("</sub>", "")


def shape(tensor: Tensor) -> str:
    """'64 x 1 x 32 x 32'"""
    return " x ".join(map(str, tensor.shape)) or "one number"


def few(row: Tensor, n: int = 5) -> str:
    """Write the first numbers of a row."""
    return "  ".join(f"{value:.2f}" for value in row.flatten()[:n].tolist()) + ("  ..." if row.numel() > n else "")


def spread(tensor: Tensor) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("mean", number(tensor.mean().item())), ("standard deviation", number(tensor.std().item()))


def figures(value: float) -> str:
    """Write six significant digits: enough to see that a step is the one that was announced."""
    return f"{value:.6g}"


def paint(images: Tensor, labels: Tensor, sure: Tensor, classes: list[str], step: int) -> str:
    """Draw the first images of a batch, framed as those of the probe are."""
    some = slice(0, PICTURES)
    title = f"<h5>The first {len(images[some])} images of this batch</h5>"
    return title + sheet(to_bytes(images[some]), labels[some].cpu().numpy(), sure[some].cpu().numpy(), classes, step)


def push(images: Tensor, gradient: Tensor) -> str:
    """Draw the first eight images, and below each where a step against the gradient would make it darker or brighter.

    Orange pixels get brighter, blue ones darker; black ones stay.  The strongest has full colour, in each image.
    """
    some = slice(0, 8)
    down = -gradient[some].mean(1).cpu().numpy()  # (8, S, S)
    down = down / np.maximum(np.abs(down).max((1, 2), keepdims=True), 1e-30)
    brighter, darker = np.array([255, 140, 66]), np.array([86, 180, 233])
    colours = (
        np.maximum(down, 0)[:, None] * brighter[:, None, None] + np.maximum(-down, 0)[:, None] * darker[:, None, None]
    )
    shown = np.broadcast_to(to_bytes(images[some]), colours.shape)  # grey ones in three channels, too
    rows = np.concatenate([shown, colours.astype(np.uint8)])
    words = "Eight images, and below each the pixels that the losses want brighter (orange) or darker (blue)."
    return f'<h5>{words}</h5><img alt="{words}" src="{source(mosaic(rows, 8))}">'
