"""The lab: a cell that trains a generator while you switch, weigh and damp what it is asked for.

    from rdskd_lab.lab import Lab
    Lab()

Everything that a control does can be done from a cell as well: `lab.edit("ie", "on", False)`, `lab.play(100)`.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import ipywidgets as widgets
from torch import nn

from ..doctor.report import SLOW
from ..methods.method import Settings
from .drawing.view import View, sentence
from .session.cores import leave_a_core
from .session.experiment import PLAYABLE, Experiment
from .session.player import Player
from .session.record import STUDENT, Edit, rule_of
from .session.trace import Trace, begin
from .sharing.report import write_report
from .sharing.script import export_code
from .sharing.share_string import Recipe, ShareError, read, recipe_of, write
from .widgets.cell_output import InCell
from .widgets.fork import Fork, ForkRow
from .widgets.page_liveness import Beacon
from .widgets.playback_buttons import Transport, button
from .widgets.redraw_throttle import Pace
from .widgets.replay import Replay
from .widgets.run_log import Tries
from .widgets.static_snapshot import Postcard
from .widgets.step_inspector import SlowMotion, Stage
from .widgets.term_controls import Console

MARK = 2.0  # s between two examinations of the student
OFFER = " A step takes {:.1f} s here; recorded runs play at once: from rdskd_lab.lab import Museum; Museum()"


class Lab(InCell):
    """Preset `classroom`, shipped teacher.  `steps`: how many inline mode trains before it shows anything.

    It plays the shipped digits, of which the student's test is made, and no other data: a `teacher` of your own takes
    images (N, 1, 32, 32) and gives 10 logits.  Colour pairs are for the command line (`rdskd-lab distill --data`).
    """

    def __init__(self, method: str = "rdskd", seed: int = 0, *, mode: str | None = None, steps: int = 120,
                 teacher: nn.Module | None = None, settings: Settings | None = None):  # fmt: skip
        self.occupy()
        self._build(method, seed, mode, steps, teacher, settings)

    def _build(self, method, seed, mode, steps, teacher, settings):
        self._own = dict(teacher=teacher, settings=settings)  # None: what suits the method
        self._setting = False  # controls, to what is so already
        self.inner: Replay | Fork | None = None  # what is shown in the place of the controls
        self.experiment = Experiment(method, seed, **self._own)
        self.trace = begin(self.experiment, teacher is not None)
        self.plan: list[Edit] = []  # edits still to come, of an experiment that is done again
        self._goal: tuple[int, str] | None = None  # a step to stop at, and why
        self.player = Player(
            self.experiment.steps, on_step=self._on_step, mode=mode, at_once=steps, surround=leave_a_core
        )
        self.pace = self.player.on_show = Pace(self._draw, self.player.loop)
        self.view, self.beacon = View(), Beacon()
        self.postcard = Postcard(self)
        self.console = Console(self.experiment.objective, self._ask)
        self.transport = Transport(self.player, self._extra(method), self.view.status)
        self.forks = ForkRow(self.experiment.objective, self._press_fork)
        self.slow_motion, self.tries = SlowMotion(self), Tries(self)
        view = self.view
        self.page = widgets.VBox([view.style, view.status, self.transport, self.console, self.forks,
                                  self.slow_motion.panel, view.pictures, self.tries.panel, self.beacon])  # fmt: skip
        self.page.add_class("rdskd-box")
        self._marked = -1e9
        self._draw()

    @classmethod
    def go_on(cls, trace: Trace, step: int, *, mode: str | None = None, teacher: nn.Module | None = None) -> "Lab":
        """A lab in which a recorded run goes on after `step` steps, bit for bit as it would have then.

        It starts at the last checkpoint before, or from the seed, and says how many steps it has to train anew.
        Raises TraceError if the trace cannot be gone on with.  `teacher`: needed if the run had one of your own.
        """
        trace.revive(trace.last_checkpoint(step), teacher)  # before anything is built that would have to be closed
        lab = cls.__new__(cls)  # in whatever cell asks for it, this takes nobody's place
        settings = Settings(**trace.settings)
        usual = settings == replace(PLAYABLE[trace.method].presets["classroom"], pooled=False)
        lab._build(trace.method, trace.seed, mode, 120, teacher, None if usual else settings)
        lab.player.ask(partial(lab._go_back, trace, step))
        lab.player.settle()
        return lab

    @property
    def record(self):
        """The run's steps and edits, as numbers."""
        return self.trace.record

    # ---- what a learner may do, from a cell or with the controls

    def play(self, steps: int | None = None) -> None:
        """Train on; `steps` of the generator's steps, or until paused."""
        self.player.play(steps)

    def pause(self) -> None:
        """Stop before the next step."""
        self.player.pause()

    def edit(self, term: str, field: str, value: bool | float | str) -> None:
        """Change a term before the next step: `field` is "on", "weight" (0 to 100), "damped" or "rule"."""
        self.experiment.objective[term]  # a KeyError here names the terms
        Edit(self.experiment.done, term, field, value).check(self.experiment.objective)
        getattr(self.console.rows[term], field).value = value  # the control asks, as if it had been pressed

    def learn(self, on: bool = True) -> None:
        """Let the student learn from the generator's images as they come, or stop it."""
        self.student.value = on

    def reset(self, seed: int | None = None) -> None:
        """Back to step 0 with the terms as they are set: the same weights and latents, or those of another seed."""
        self.player.ask(partial(self._begin, None, seed))

    def rewind(self, step: int) -> None:
        """Back to where this run was after `step` steps: same weights, same latents; what came later is let go."""
        if not 0 <= step <= len(self.trace):
            raise ValueError(f"this run has {len(self.trace):,} steps; rewind to 0 or to one of them, not to {step:,}")
        self.player.ask(lambda: self._go_back(self.trace, step))

    def look_back(self) -> None:
        """Show this run as a replay, in the place of the controls, until the learner goes on from some step of it."""
        self.player.ask(self._look_back)

    def fork(self, term: str, field: str, value: bool | float | str) -> Fork:
        """Two runs from this very step, in the same state and with the same latents, the second with one edit.

        `term`, `field` and `value` as of `edit`; ("student", "learns", True) too.  A cell that ends in it shows it.
        """
        self.player.settle()  # what was asked for just now belongs to both
        made = Fork(self, Edit(self.experiment.done, term, field, value))
        self.player.pause("Paused, where it was forked.")
        return made

    def adopt(self, experiment: Experiment, trace: Trace, name: str) -> None:
        """Go on with a branch of a fork.  Between two steps only: from a wish."""
        self._take_up(experiment, trace)
        self.player.stop(f"Gone on with the branch: {name}.")
        if isinstance(self.inner, Fork):
            self.shut()

    def use(self, method: str) -> None:
        """Back to step 0 with the terms of a method as its paper has them."""
        self.preset.value = method

    def share(self) -> str:
        """This experiment with its edits as at most 120 characters for a classmate, who opens it by `Lab.from_share`.

        Where the edits are too many, the terms stand in it as they are now, and its fourth part begins with `final`.
        """
        return write(self.recipe())

    @classmethod
    def from_share(cls, text: str, teacher: nn.Module | None = None, **options) -> "Lab":
        """The experiment of a string from `share`: the same weights and latents, its edits before the same steps.

        `teacher` has to be given again if it was one's own.  Raises ShareError, a ValueError, with a sentence.
        """
        recipe = read(text)
        if recipe.own_teacher and teacher is None:
            raise ShareError("this experiment had a teacher of its own, which no string holds; give it (teacher=...)")
        lab = cls(recipe.method, recipe.seed, settings=recipe.settings, teacher=teacher, **options)
        lab._follow(recipe, "A shared experiment")
        lab._draw()
        return lab

    def recipe(self) -> Recipe:
        """How to make this experiment again, past edits and those to come."""
        return recipe_of(self.experiment, [*self.record.edits, *self.plan], self._own["teacher"] is not None)

    def export_code(self) -> str:
        """A plain PyTorch script of at most 60 lines for the settings as they are now: `print(lab.export_code())`."""
        return export_code(self.experiment, self._own["teacher"] is not None)

    def report(self, path: Path | str) -> Path:
        """Write what was tried here, with curves, pictures and edits, to one HTML file that needs nothing else."""
        return write_report(self, path)

    def stages(self) -> Iterator[Stage]:
        """The next step taken apart: `for stage in lab.stages(): print(stage)`; with the last stage it is made."""
        return self.slow_motion.stages()

    def charts(self) -> list:
        """The run so far as charts: `lab.charts()[0].plotly()` to explore, `.svg(own_style=True)` to keep."""
        return self.postcard.curves()

    def close(self) -> None:
        """Stop training, leave the page and give the memory back."""
        if not self.closed and self.inner is not None:
            self.inner.close()
        super().close()

    # ---- on the main thread, between two steps

    def _ask(self, term, field, value):
        if value != "own" and not self._setting:
            self.player.ask(partial(self._edit, term, field, value))

    def _edit(self, term, field, value):
        if term != STUDENT and term not in self.experiment.objective:  # asked for just before another method came
            return
        edit = Edit(self.experiment.done, term, field, value)
        if self.experiment.change(edit):
            self.record.edits.append(edit)

    def _begin(self, method, seed, learning=None):
        """A new experiment in the place of the old one, that keeps the terms' settings unless the method is new."""
        self.tries.note()
        old, self.plan, self._goal = self.experiment, [], None
        seed = old.seed if seed is None else seed
        self.experiment = Experiment(method or old.method, seed, **self._own)
        self.trace = begin(self.experiment, self._own["teacher"] is not None)
        self._edit(STUDENT, "learns", old.learning if learning is None else learning)
        if method is None:
            for name, term in old.objective.items():
                for field in "on", "weight", "damped":
                    self._edit(name, field, getattr(term, field))
                if rule := rule_of(term):
                    self._edit(name, "rule", rule)
                else:  # a rule of one's own, which a record cannot name
                    self.experiment.objective[name].rule = term.rule
        else:
            self.console.fill(self.experiment.objective)
        self.forks.fill(self.experiment.objective)
        self.player.take(self.experiment.steps)
        self.player.stop(f"Back at step 0 with seed {seed}.")
        self._marked = -1e9

    def _use(self, method):
        if method != self.experiment.method:  # it may be what the control was set to because it had come
            self._begin(method, None)

    def _go_back(self, trace, step):
        """Take up a recorded run at the last checkpoint before `step`, and repeat what was done until there."""
        start = trace.last_checkpoint(step)
        experiment = trace.revive(start, self._own["teacher"])
        self._take_up(experiment, trace.until(start, experiment))
        origin = f"the checkpoint at step {start:,}" if start else f"seed {trace.seed}"
        anew = f", {step - start:,} of them trained anew from {origin}" if start < step else ""
        self.plan = [edit for edit in trace.record.edits if start < edit.step <= step]
        self._goal = step, f"Back at step {step:,}{anew}."
        if start < step:
            self.player.play(reason=f"Training {step - start:,} steps anew from {origin}, back to step {step:,}.")
        else:
            self._keep_to_plan()

    def _take_up(self, experiment, trace):
        """Another run in the place of this one."""
        self.tries.note()
        self.experiment, self.trace, self.plan, self._goal = experiment, trace, [], None
        self.player.take(experiment.steps)
        self._marked = -1e9
        if self.preset.value != experiment.method:
            self.console.fill(experiment.objective)
            self.preset.value = experiment.method  # which asks for what is so already
        self.forks.fill(experiment.objective)
        self._set_controls()

    def _look_back(self):
        self._open(Replay(self.trace, mode=self.player.mode, go_on=self._return))
        self.inner.go(len(self.trace))

    def _return(self, step):
        """From the replay back to the lab, at the step that was shown there."""
        self.shut()
        if step < len(self.trace):
            self.rewind(step)
        else:
            self.player.pause()

    def _press_fork(self, term, field, value):
        self.player.ask(lambda: self._open(Fork(self, Edit(self.experiment.done, term, field, value), inside=True)))

    def _open(self, inner):
        """Show a replay or a fork in the place of the controls."""
        self.shut()
        self.player.stop("Paused.")
        self.inner, self._front = inner, self.page.children
        self.page.children = (inner.page,)

    def shut(self) -> None:
        """Show the controls again.  Between two steps only: from a wish."""
        if self.inner is not None:
            self.page.children = self._front
            inner, self.inner = self.inner, None
            inner.close()

    def _on_step(self, step):
        self.record.add(step, self.experiment.objective)
        self.trace.note(self.experiment)
        self._keep_to_plan()

    def repeat(self, recipe: Recipe, name: str) -> None:
        """Do again what `recipe` did, from step 0.  Between two steps only: from a wish of the player's."""
        self._begin(recipe.method, recipe.seed, learning=False)
        self._set_controls()
        self.preset.value = recipe.method
        self._follow(recipe, name)

    def _follow(self, recipe, name):
        """Do what a recipe did, beginning now, at step 0."""
        self.plan = list(recipe.edits)
        steps = [f"{step:,}" for step in sorted({edit.step for edit in self.plan}) if step]
        later = f" Its edits are made again before step{'s' * (len(steps) > 1)} {', '.join(steps)}." if steps else ""
        final = " Its edits were too many for the string: the terms stand as they did at last." if recipe.final else ""
        self.player.stop(f"{name}, at step 0.{later}{final}")
        self._keep_to_plan()

    def _keep_to_plan(self):
        """Make the planned edits whose step has come, and stop where the run was to be brought."""
        while self.plan and self.plan[0].step <= self.experiment.done:
            edit = self.plan.pop(0)
            self._edit(edit.term, edit.field, edit.value)
            self._set_controls()
        if self._goal and self._goal[0] <= self.experiment.done:
            self.player.stop(self._goal[1])
            self._goal = None

    def _set_controls(self):
        """Set every control as things stand, without asking for an edit by it."""
        self._setting = True
        for name, row in self.console.rows.items():
            row.set(self.experiment.objective[name])
        self.student.value = self.experiment.learning
        self._setting = False

    @leave_a_core()
    def _draw(self):
        now, playing = monotonic(), self.player.playing
        if playing and self.beacon.unwatched:
            self.player.stop("Paused, because no page has shown this lab for a while.")
        if self.experiment.learning and (not playing or now - self._marked > MARK):
            self.record.add_accuracy(self.experiment.done, self.experiment.accuracy())
            self._marked = monotonic()
        offer = OFFER.format(self.player.step_seconds) if self.player.step_seconds > SLOW else ""
        self.view.say(self.player.reason + offer, self.experiment)
        self.look = self.experiment.look()
        self.record.add_probe(self.look.step, self.look.raw)
        self.view.show(self.experiment, self.record, self.look)
        self.console.show(self.experiment.objective, self.look)
        self.beacon.tell(lambda: sentence(self.experiment, self.record, self.look), playing)
        self.postcard.renew(playing)
        self.slow_motion.refresh()
        if not playing:
            self.tries.show()

    # ---- building

    def _extra(self, method):
        self.same = button("Reset", "undo", "Back to step 0: same weights, same latents", self.reset)
        self.new = button("New seed", "random", "Back to step 0 with the next seed",
                          lambda: self.player.ask(lambda: self._begin(None, self.experiment.seed + 1)))  # fmt: skip
        self.back = button("Look back", "history", "Play this run again, and go on from any step of it", self.look_back)
        self.student = widgets.Checkbox(False, description="student learns along", indent=False)
        self.student.observe(lambda change: self._ask(STUDENT, "learns", change["new"]), "value")
        self.preset = widgets.Dropdown(options=list(PLAYABLE), value=method, description="method")
        self.preset.observe(lambda change: self.player.ask(partial(self._use, change["new"])), "value")
        self.student.layout.width, self.preset.layout.width = "auto", "200px"
        return self.same, self.new, self.back, self.student, self.preset

    def _fill(self):
        if self.player.mode == "inline" and not self.experiment.done:
            self.play()
