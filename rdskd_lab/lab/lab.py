"""The lab: a cell that trains a generator while you switch, weigh and damp its loss terms.

    from rdskd_lab.lab import Lab
    Lab()

Everything that a control does can be done from a cell as well: `lab.edit("ie", "on", False)`, `lab.play(100)`.
Either requests an edit, the player grants it between two steps, the experiment changes, and the controls follow it.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from time import monotonic

import ipywidgets as widgets
import torch
import traitlets
from torch import nn

from ..datasets import Split
from ..distillation import find_device
from ..doctor.report import SLOW
from ..methods.method import Settings
from ..runs.check_teacher import check_teacher
from .drawing.sheet import encode
from .drawing.view import every_chart, sentence
from .session.cores import leave_a_core
from .session.experiment import PLAYABLE, Experiment, played
from .session.player import Player
from .session.record import FIELDS, STUDENT, Edit, checked, rule_of
from .session.screen_state import numbers, screen_state, terms
from .session.trace import Trace, begin
from .session.twin import Twin
from .sharing.page import RecordedTwin, past_twin, save_page
from .sharing.report import write_report
from .sharing.script import export_code
from .sharing.share_string import Recipe, ShareError, read, recipe_of, write
from .widgets.cell_output import CellOutput
from .widgets.control import close
from .widgets.fork import Fork, beside_twin
from .widgets.replay import Replay
from .widgets.run_log import RunLog
from .widgets.screen import Screen
from .widgets.step_inspector import SlowMotion, Stage

EVERY = 3.0  # s between two measurements of the student
OFFER = " A step takes {:.1f} s here; recorded runs play at once: from rdskd_lab.lab import Museum; Museum()"

EXAMPLES = {  # name: method, shipped checkpoint to begin from, whether the student learns, what it shows
    "rdskd": ("rdskd", "", True, "RDSKD as it comes."),
    "readable": (
        "rdskd+bn",
        "readable",
        True,
        "Digits that a person can read: 600 steps of RDSKD with a fourth term, BatchNorm statistics, which is not "
        "RDSKD's. It goes on from there.",
    ),
    "collapse": ("dfad", "", False, "A collapse: DFAD's generator has no reason to make different images. Press Play."),
}
REPORT, PAGE = "rdskd-lab-report.html", "rdskd-lab-page.html"


class Lab(CellOutput, widgets.VBox):
    """Preset `classroom`, shipped teacher: a widget that can stand in any other, and be observed.

    `steps`: how many inline mode trains before it shows anything.  `learn`: whether the student learns from the start.
    A `teacher` of your own may have any number of classes, named by `classes`; it takes images of 32 x 32 in grey or
    colour.  `data` (a name, a folder or a Split) are test images, in the teacher's format, on which the student is
    tested; without them it is asked how often it agrees with your teacher.  `device`: "auto" takes a GPU if there is
    one.  `only`: the key of one loss, or "student"; the screen then shows its card alone, for a lesson about it.
    """

    step = traitlets.Int(0, help="the generator's steps so far")
    playing = traitlets.Bool(False, help="whether it trains")
    terms = traitlets.Dict(help="by name: on, weight, damped, strength, rule")
    numbers = traitlets.Dict(help="classes, of, certainty, student (None before it is measured), speed, fluctuation")

    inner: Replay | Fork | None = None  # what is shown in the place of the controls
    twin: Twin | None = None
    only = ""

    def __init__(
        self,
        method: str = "rdskd",
        seed: int = 0,
        *,
        mode: str | None = None,
        steps: int = 120,
        teacher: nn.Module | None = None,
        settings: Settings | None = None,
        device: torch.device | str = "auto",
        data: str | Split | None = None,
        classes: Sequence[str] | None = None,
        learn: bool = True,
        only: str = "",
    ):
        self.only = only
        own = dict(teacher=teacher, settings=settings, device=find_device(device), data=data, classes=classes)
        self._build(method, seed, mode, steps, own)
        if only not in ("", STUDENT, *self.experiment.objective):
            raise ValueError(f"{method} has no loss {only!r}; pass {', '.join(self.experiment.objective)} or {STUDENT}")
        if learn:
            self._edit(STUDENT, "learns", True)
            self._on_show(True)
        self.replace_earlier()

    def _build(self, method, seed, mode, steps, own):
        widgets.VBox.__init__(self)
        self._own = own  # None: what suits the method
        self.comparing = True  # whether an edit of the learner's starts a twin
        self.window = 200  # steps that the charts show; 0: all
        self.run_id = 0  # goes up when another run is taken up
        self.told = None  # what was asked for in words, a share string or a script, and when
        self.before: list[int] | None = None  # the teacher's answers to the probe, before the last edit
        self._draws: deque[tuple[float, int]] = deque(maxlen=8)  # when, and steps by then
        self.experiment = Experiment(method, seed, **self._own)
        self.trace = begin(self.experiment, own["teacher"] is not None)
        self.past_twins: list[RecordedTwin] = []  # of this run, for its page
        self.plan: list[Edit] = []  # edits still to come, of an experiment that is repeated
        self._goal: tuple[int, str] | None = None  # a step to stop at, and why
        self._measured = -1e9  # when the student was, on the monotonic clock
        self.attach(
            Player(self.experiment.steps, on_step=self._on_step, mode=mode, at_once=steps, surround=leave_a_core)
        )
        self.player.reason = "Press Play."
        self.screen, self.slow_motion, self.run_log = Screen(self.act), SlowMotion(self), RunLog(self)
        self.lay_out(self.style, self.screen, self.run_log.panel)

    @classmethod
    def go_on(
        cls, trace: Trace, step: int, *, mode: str | None = None, teacher: nn.Module | None = None, **place
    ) -> "Lab":
        """Make a lab in which a recorded run goes on after `step` steps, bit for bit as it would have then.

        It starts at the last checkpoint before, or from the seed, and says how many steps it has to train anew.
        Raises TraceError if the run cannot be resumed.  `teacher`: needed if the run had one of your own; then `data`
        and `classes` too, if it had any; `device` as a lab's.
        """
        place["device"] = find_device(place.get("device", "auto"))
        trace.resume(trace.last_checkpoint(step), teacher, **place)  # before anything is built that would be closed
        lab = cls.__new__(cls)  # in whatever cell this is called, it replaces nothing
        settings = Settings(**trace.settings)
        usual = settings == played(PLAYABLE[trace.method].presets["classroom"])
        own = dict(teacher=teacher, settings=None if usual else settings, form=trace.form) | place
        lab._build(trace.method, trace.seed, mode, 120, own)
        lab.player.ask(partial(lab._go_back, trace, step))
        lab.player.settle()
        return lab

    @property
    def page(self) -> "Lab":
        """What is shown: the lab itself."""
        return self

    @property
    def record(self):
        """The run's steps and edits, as numbers."""
        return self.trace.record

    # ---- what a learner may do, from a cell or with the controls

    def play(self, steps: int | None = None) -> None:
        """Train on; `steps` of the generator's steps, or until paused."""
        self.player.play(steps)

    def edit(self, term: str, field: str, value: bool | float | str) -> None:
        """Change a term before the next step.

        `field`: "on", "weight" (0 to 100), "damped", "rule", or "strength" of its damping (0 to 50; 1: released code).
        """
        edit = checked(self.experiment.objective, term, field, value)
        self._ask(term, field, edit.value)

    def strength(self, value: float) -> None:
        """Set the strength of all damped terms, before the next step."""
        any_term = next(iter(self.experiment.objective))
        asked = checked(self.experiment.objective, any_term, "strength", value)
        self.player.ask(partial(self._strengthen, asked.value))

    def compare(self, on: bool = True) -> None:
        """Run a twin beside this run, or no more.

        The twin is this run without damping, from the next step on; after an edit, this run without that edit.  It
        takes half of the speed.
        """
        self.player.ask(partial(self._set_twin, on))

    def example(self, name: str) -> None:
        """Show an example: "readable" (digits from a shipped checkpoint), "collapse", or "rdskd" as it comes."""
        if name not in EXAMPLES:
            raise ValueError(f"no example {name!r}; there are {', '.join(EXAMPLES)}")
        self.player.ask(partial(self._show_example, name))

    def act(self, action: dict) -> None:
        """Do what the page asks for, {"do": name, ...}; what cannot be done is answered by a sentence, never raised."""
        try:
            do = self._actions().get(action["do"])
            if do is None:
                raise ValueError(f"there is no {str(action['do'])[:40]!r}")
            do({name: value for name, value in action.items() if name != "do"})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = error.args[0] if error.args else type(error).__name__
            self.player.ask(partial(self._say, f"That cannot be done: {str(said)[:200]}."))

    def learn(self, on: bool = True) -> None:
        """Let the student learn from the generator's images as they come, or stop it."""
        self.edit(STUDENT, "learns", on)

    def reset(self, seed: int | None = None) -> None:
        """Go back to step 0 with the terms as they are set: the same weights and latents, or those of another seed."""
        self.player.ask(partial(self._begin, None, seed))

    def use(self, method: str) -> None:
        """Go back to step 0 with the terms of a method as its paper has them."""
        if method not in PLAYABLE:
            raise ValueError(f"the lab plays {', '.join(PLAYABLE)}; not {method!r}")
        self.player.ask(partial(self._begin, method, None))

    def rewind(self, step: int) -> None:
        """Go back to where this run was after `step` steps: same weights, same latents; later steps are dropped."""
        if step % 1 or not 0 <= step <= len(self.trace):
            raise ValueError(f"this run has {len(self.trace):,} steps; rewind to 0 or to one of them, not to {step:,}")
        self.player.ask(lambda: self._go_back(self.trace, step))

    def look_back(self) -> None:
        """Show this run as a replay, in the place of the controls, until the learner continues from some step of it."""
        self.player.ask(self._look_back)

    def fork(self, term: str, field: str, value: bool | float | str) -> Fork:
        """Start two runs from this very step, in the same state and with the same latents, the second with one edit.

        `term`, `field` and `value` as of `edit`; ("student", "learns", True) too.  A cell that ends in it shows it.
        """
        self.player.settle()  # what was requested just now belongs to both
        made = Fork(self, checked(self.experiment.objective, term, field, value, self.experiment.done))
        self.player.pause("Paused, where it was forked.")
        return made

    def adopt(self, experiment: Experiment, trace: Trace, name: str) -> None:
        """Go on with a branch of a fork.  Between two steps only: from a request."""
        self._take_up(experiment, trace)
        self.player.stop(f"Gone on with the branch: {name}.")
        if isinstance(self.inner, Fork):
            self.shut()

    def share(self) -> str:
        """Write this experiment with its edits in at most 120 characters for a classmate: see `Lab.from_share`.

        If there are too many edits, it holds the terms as they are now, and its fourth part begins with `final`.
        """
        return write(self.recipe())

    @classmethod
    def from_share(cls, text: str, teacher: nn.Module | None = None, **options) -> "Lab":
        """Open the experiment of a string from `share`: the same weights and latents, its edits before the same steps.

        `teacher` has to be given again if it was one's own.  Raises ShareError, a ValueError, with a sentence.
        """
        recipe = read(text)
        if recipe.own_teacher and teacher is None:
            raise ShareError("this experiment had a teacher of its own, which no string holds; give it (teacher=...)")
        how = dict(settings=recipe.settings, teacher=teacher, learn=False)  # it learns from where the recipe says
        lab = cls(recipe.method, recipe.seed, **how | options)
        lab.player.ask(partial(lab._follow_recipe, recipe, "A shared experiment"))
        lab.player.settle()
        return lab

    def recipe(self) -> Recipe:
        """Return how to make this experiment again, with past edits and those to come."""
        return recipe_of(self.experiment, [*self.record.edits, *self.plan], self.experiment.own_teacher)

    def export_code(self) -> str:
        """Write a plain PyTorch script of at most 60 lines for the settings as they are now."""
        return export_code(self.experiment, self.experiment.own_teacher)

    def report(self, path: Path | str) -> Path:
        """Write what was tried here, with curves, pictures and edits, to one HTML file that needs nothing else."""
        return write_report(self, path)

    def check_teacher(self) -> str:
        """Say in lines how this teacher answers without data, and which recipe its student needs: 15 s of computing.

        See `rdskd_lab.runs.check_teacher`.  The run in the lab is not touched.
        """
        run = self.experiment.run
        teacher = deepcopy(run.teacher).cpu()  # on a GPU the run's own stays where it is
        return check_teacher(teacher, channels=run.channels, size=run.size, seed=run.seed).text()

    def save_page(self, path: Path | str) -> Path:
        """Write this run to one HTML file that plays it in any browser, without a kernel or a network.

        It has the images that the run's trace keeps: 16, every 20 steps or, of a long run, fewer.
        """
        return save_page(self, path)

    def stages(self) -> Iterator[Stage]:
        """Take the next step apart: `for stage in lab.stages(): print(stage)`; with the last stage it is made."""
        return self.slow_motion.stages()

    def charts(self) -> list:
        """Return the run so far as charts: `lab.charts()[0].plotly()` to explore, `.svg(own_style=True)` to keep."""
        return every_chart(self.experiment, self.record)

    def close(self) -> None:
        """Stop training, leave the page and free the memory."""
        if "snapshot" not in vars(self):  # it could not be built, or was closed
            return
        if self.inner is not None:
            self.inner.close()
        CellOutput.close(self)

    # ---- on the main thread, between two steps

    def _ask(self, term, field, value):
        self.player.ask(partial(self._edit_together, [(term, field, value)]))

    def _strengthen(self, value):
        # those that are damped by now: it was asked in turn
        damped = [name for name, term in self.experiment.objective.items() if term.damped]
        if damped:
            self._edit_together([(name, "strength", value) for name in damped])
        else:
            self._say("No term is damped, so there is no strength to set; damp one first.")

    def _edit_together(self, asked):
        """Make edits that a learner asked for, and begin the twin that goes without them."""
        twin, before = self.twin, len(self.record.edits)
        if twin is None or not twin.edits or twin.since != self.experiment.done:  # else one more edit of this very step
            parts = any(term != STUDENT or self._student_matters() for term, *_ in asked)
            twin = Twin(self.experiment, self.record) if self.comparing and parts else None
        for one in asked:
            self._edit(*one)
        for edit in self.record.edits[before:]:
            if edit.term == STUDENT and not self._student_matters():  # it makes no difference to the generator
                if self.twin is not None:
                    self.twin.follow(edit)
            elif twin is not None:
                twin.edits += (edit,)
        if twin is not None and twin.edits and twin is not self.twin:
            self._take_twin(twin)

    def _student_matters(self) -> bool:
        return "student" in self.experiment.objective.needs

    def _take_twin(self, twin):
        if self.twin is not None:
            self._say(f"The twin begins anew at step {twin.since:,}: this run without your last edit.")
        self._keep_twin()
        self.twin, self.before = twin, self.look.labels.tolist()

    def _set_twin(self, on):
        self.comparing = on
        if not on:
            self._keep_twin()
            self.twin = None
        elif self.twin is None and any(term.on and term.damped for term in self.experiment.objective.values()):
            self.twin = Twin(self.experiment, self.record).undamped()
        elif self.twin is None:
            self._say("No term is damped, so there is nothing to compare yet: change a term.")

    def _step_twin(self):
        try:
            self.twin.step(self.experiment, self.record)
        except (FloatingPointError, RuntimeError) as error:
            self._keep_twin()
            self.twin = None
            self._say(f"The twin ended. {error}")

    def _keep_twin(self):
        """Keep the numbers of a twin that ends."""
        if self.twin is not None:
            self.past_twins.append(past_twin(self.twin, self.trace))

    def _say(self, sentence):
        self.player.reason = sentence

    def _edit(self, term, field, value):
        if term != STUDENT and term not in self.experiment.objective:  # requested just before another method came
            return
        edit = Edit(self.experiment.done, term, field, value)
        if self.experiment.change(edit):
            self.record.edits.append(edit)

    def _show_example(self, name):
        method, start, learning, words = EXAMPLES[name]
        self._begin(method, 0, learning=learning, start=start)
        self.player.stop(words)

    def _begin(self, method, seed, learning=None, start=None):
        """Begin a new experiment in the place of the old one; unless the method is named, the terms' settings stay."""
        old = self.experiment
        seed = old.seed if seed is None else seed
        start = (old.start if method is None else "") if start is None else start
        experiment = Experiment(method or old.method, seed, **self._place(start), start=start)
        self._take_up(experiment, begin(experiment, experiment.own_teacher))
        self._edit(STUDENT, "learns", old.learning if learning is None else learning)
        for name, term in old.objective.items() if method is None else ():
            for field in (field for field in FIELDS if field != "rule"):
                self._edit(name, field, getattr(term, field))
            if rule := rule_of(term):
                self._edit(name, "rule", rule)
            else:  # a rule of one's own, which a record cannot name
                experiment.objective[name].rule = term.rule
        self.player.stop(f"Back at step 0 with seed {seed}.")

    def _place(self, start: str) -> dict:
        """What the learner brought; an example with a shipped start is of the shipped teacher and settings."""
        return {"device": self._own["device"]} if start else self._own

    def _begin_next(self):
        self._begin(None, self.experiment.seed + 1)

    def _go_back(self, trace, step):
        """Resume a recorded run at the last checkpoint before `step`, and repeat what was done from there to `step`."""
        start, place = trace.last_checkpoint(step), self._place(trace.start)
        experiment = trace.resume(start, **{key: value for key, value in place.items() if key != "settings"})
        self._take_up(experiment, trace.until(start, experiment))
        origin = f"the checkpoint at step {start:,}" if start else f"seed {trace.seed}"
        todo = step - start
        anew = f", {todo:,} of them trained anew from {origin}" if todo else ""
        self.plan = [edit for edit in trace.record.edits if start < edit.step <= step]
        self._goal = step, f"Back at step {step:,}{anew}."
        if todo:
            self.player.play(todo, f"Training {todo:,} steps anew from {origin}, back to step {step:,}.")
        else:
            self._keep_to_plan()

    def _take_up(self, experiment, trace):
        """Put another run in the place of this one."""
        self.run_log.note()
        self.experiment, self.trace, self.plan, self._goal = experiment, trace, [], None
        self.twin = self.before = self.told = None
        self.past_twins = []
        self.run_id += 1
        self._draws.clear()
        self.player.take(experiment.steps)
        self._measured = -1e9

    def _look_back(self):
        self._open(Replay(self.trace, mode=self.player.mode, go_on=self._return))
        self.inner.go(len(self.trace))

    def _return(self, step):
        """Return from the replay to the lab, at the step that was shown there."""
        self.shut()
        if step < len(self.trace):
            self.rewind(step)
        else:
            self.player.pause()

    def _fork_here(self, term, field, value):
        edit = checked(self.experiment.objective, term, field, value, self.experiment.done)
        self._open(Fork(self, edit, inside=True))

    def _beside_twin(self):
        if self.twin is None:
            raise ValueError("there is no twin; press Compare, or change a term")
        self._open(beside_twin(self))

    def _open(self, inner):
        """Show a replay or a fork in the place of the controls."""
        self.shut()
        self.player.stop("Paused.")
        self.inner, self._front = inner, self.page.children
        inner.liveness.focus = True  # which was on a button that goes
        self.page.children = (inner.page,)

    def shut(self) -> None:
        """Show the controls again.  Between two steps only: from a request."""
        if self.inner is not None:
            self.liveness.focus = True
            self.page.children = self._front
            inner, self.inner = self.inner, None
            inner.close()

    def _on_step(self, step):
        self.record.add(step, self.experiment.objective)
        self.trace.note(self.experiment)
        if self.twin is not None:
            self._step_twin()
        self._keep_to_plan()

    def repeat(self, recipe: Recipe, name: str) -> None:
        """Repeat from step 0 what `recipe` did.  Between two steps only: from a request."""
        self._begin(recipe.method, recipe.seed, learning=False)
        self._follow_recipe(recipe, name)

    def _follow_recipe(self, recipe, name):
        """Repeat what a recipe did, beginning now, at step 0."""
        plain = PLAYABLE[recipe.method].terms()  # on which it was written, whatever weights this lab's settings have
        self.plan = [*(Edit(0, name, "weight", term.weight) for name, term in plain.items()), *recipe.edits]
        steps = [f"{step:,}" for step in sorted({edit.step for edit in self.plan}) if step]
        later = f" Its edits are made again before step{'s' * (len(steps) > 1)} {', '.join(steps)}." if steps else ""
        final = " Its edits were too many for the string: the terms stand as they did at last." if recipe.final else ""
        self.player.stop(f"{name}, at step 0.{later}{final}")
        self._keep_to_plan()

    def _keep_to_plan(self):
        """Make the planned edits whose step has come, and stop at the goal."""
        while self.plan and self.plan[0].step <= self.experiment.done:
            edit = self.plan.pop(0)
            again = self._goal is not None or not edit.step  # on the way back, or before the run begins: no twin
            one = edit.term, edit.field, edit.value
            self._edit(*one) if again else self._edit_together([one])
        if self._goal and self._goal[0] <= self.experiment.done:
            self.player.stop(self._goal[1])
            self._goal = None

    @leave_a_core()
    def _draw(self):
        self._pause_unwatched()
        playing = self.player.playing
        if self.experiment.learning and (not playing or monotonic() - self._measured > EVERY):
            self.record.add_accuracy(self.experiment.done, self.experiment.accuracy())
            if self.twin is not None:
                self.twin.record.add_accuracy(self.experiment.done, self.twin.experiment.accuracy())
            self._measured = monotonic()
        self.look = self.experiment.look()
        self.twin_labels = None if self.twin is None else self.twin.experiment.run.picture()["labels"].tolist()
        self.liveness.say(lambda: sentence(self.experiment, self.record, self.look), playing)
        self.slow_motion.refresh()  # which may say something more
        if not playing:
            self.run_log.show()
            self._draws.clear()
        self._draws.append((monotonic(), self.experiment.done))
        self.screen.show(self.state(), self.slow_motion.html, self.slow_motion.at)
        self.snapshot.renew(playing)
        now = terms(self.experiment.objective), numbers(self)
        self.step, self.playing, self.terms, self.numbers = self.experiment.done, playing, *now

    @property
    def reason(self) -> str:
        """Why it plays or does not, as a sentence, with what is worth knowing besides."""
        off = "" if self.experiment.objective.asks else " Every loss is off: no weight of the generator moves."
        slow = OFFER.format(self.player.step_seconds) if self.player.step_seconds > SLOW else ""
        return self.player.reason + off + slow

    @property
    def speed(self) -> float | None:
        """Steps a second of the latest drawings; None while it does not play."""
        (first, before), (last, now) = self._draws[0], self._draws[-1]
        return (now - before) / (last - first) if self.player.playing and last - first > 0.5 else None

    encode = staticmethod(encode)

    def _actions(self) -> dict:
        """What `act` can do, by name; each takes the rest of the action."""
        ask, player = self.player.ask, self.player

        def slow(how):
            ask(partial(setattr, player, "slow", how["on"] is True))

        def window(how):
            if how["steps"] not in (0, 200):
                raise ValueError("the charts show the last 200 steps, or all (0)")
            ask(partial(setattr, self, "window", how["steps"]))

        def show(what, make):
            ask(lambda: setattr(self, "told", {"what": what, "text": str(make()), "at": monotonic()}))

        def seed(how):
            value = how["value"]
            if type(value) is not int or not 0 <= value < 2**31:
                raise ValueError(f"a seed is a whole number from 0 to {2**31 - 1:,}")
            self.reset(value)

        return {
            "play": lambda how: self.play(),
            "pause": lambda how: self.pause(),
            "step": lambda how: self.play(1),
            "slow": slow,
            "reset": lambda how: self.reset(),
            "next_seed": lambda how: ask(self._begin_next),
            "seed": seed,
            "edit": lambda how: self.edit(how["term"], how["field"], how["value"]),
            "strength": lambda how: self.strength(how["value"]),
            "learn": lambda how: self.learn(how["on"]),
            "compare": lambda how: self.compare(how["on"] is True),
            "example": lambda how: self.example(how["name"]),
            "method": lambda how: self.use(how["name"]),
            "window": window,
            "fork": lambda how: ask(partial(self._fork_here, how["term"], how["field"], how["value"])),
            "side_by_side": lambda how: ask(self._beside_twin),
            "tries": lambda how: ask(self.run_log.fold),
            "look_back": lambda how: self.look_back(),
            "stage": lambda how: self.slow_motion.forward(),
            "stage_back": lambda how: self.slow_motion.backward(),
            "stage_close": lambda how: self.slow_motion.leave(),
            "share": lambda how: show("share", self.share),
            "export": lambda how: show("export", self.export_code),
            "report": lambda how: show("report", lambda: self.report(REPORT)),
            "check": lambda how: show("check", self.check_teacher),
            "page": lambda how: show("page", lambda: self.save_page(PAGE)),
        }

    def state(self) -> dict:
        """Return all that the screen shows, as plain numbers, texts and lists: see `session.screen_state`."""
        return screen_state(self)

    def _leave(self):
        children, self.children = self.children, ()
        for part in (*children, self.layout):
            close(part)
        widgets.VBox.close(self)
        kept = {name: value for name, value in vars(self).items() if name.startswith(("_trait", "_cross"))}
        vars(self).clear()
        vars(self).update(kept, closed=True)

    def _fill(self):
        if self.player.mode == "inline" and not self.experiment.done:
            self.play()


Replay.open_lab = staticmethod(Lab.go_on)  # this file alone knows both a replay and a lab
