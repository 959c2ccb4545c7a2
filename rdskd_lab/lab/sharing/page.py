"""A recorded run as one HTML file that plays in any browser, without a kernel and without a network.

Nothing is computed in the page but what to show when.  Each frame is the state that the lab's own `screen_state` gives
for that step, read off traces; `page.js` picks frames, and the lab's `screen.js` draws them.  A `Recording` may hold
several branches: runs that left another one at some step with one press, so that the run that they left is their twin.
"""

import base64
import io
import json
import math
from copy import copy
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ... import __version__
from ...methods.method import Settings
from ...networks.weights import write_whole
from ..drawing.sheet import encode, mosaic
from ..session.experiment import Experiment
from ..session.record import STUDENT, Edit, Record
from ..session.screen_state import anchor_after, live_state, plain, run_state, shortly_told, title_of_method
from ..session.trace import RecordedStep, Trace
from ..session.twin import Band, Twin, stored_band

DIGITS = 9  # significant ones of a number in the file: with 7, one in some hundreds is shown rounded the other way
QUALITY = 8  # of the images, WebP's, 0 to 100
LEFT_OUT = tuple("step speed playing reason slow stage told charts twin_shares".split())  # page.js adds these


@dataclass
class Branch:
    """A run, whole from step 0, and how it came to be: at step `since` it left `parent` with `edits`."""

    trace: Trace
    since: int = 0
    parent: str = ""  # the key of another branch; "": none
    edits: tuple[Edit, ...] = ()


@dataclass
class Recording:
    """Branches of one run, by key; the first is the run itself.  Numbers stand at every `every`-th step.

    images every so many steps there are images, with the teacher's answers; a multiple of `every`
    run    as `about_run` makes it: what does not change with a step
    twins  of the first branch, which has no parent: runs as they would have been without an edit, where recorded
    """

    title: str
    words: str
    run: dict
    branches: dict[str, Branch]
    every: int
    images: int
    made: str = ""
    twins: list["RecordedTwin"] = field(default_factory=list)


class RecordedTwin(Twin):
    """A twin that has run: `trace` is the run without `edits`, which were made at step `since` of the other run.

    until   the last step up to which both ran
    """

    def __init__(self, trace: Trace, since: int, edits: tuple[Edit, ...], until: int, band: Band | None, key: str):
        self.trace, self.since, self.edits, self.until, self.band, self.key = trace, since, edits, until, band, key
        self.found: list[str] = []
        self._judged = since

    def follow_to(self, step: int, record: Record) -> None:
        """Go to `step`, comparing whatever was measured on the way; `record` is the other run's, whole.

        Steps must come in their order.
        """
        objective = RecordedStep(self.trace, self.since).objective
        for at in (at for at in record.probe["step"] if self._judged < at <= step):
            self.experiment, self.record = SimpleNamespace(done=at), self.trace.record.until(at, objective)
            self._judge(record.until(at, objective))
        self._judged = step
        self.experiment = StepOfLab(self.trace, step)
        self.record = self.experiment.record


def past_twin(twin: Twin, trace: Trace) -> RecordedTwin:
    """Keep what a lab's twin did so far; `trace` is the lab's run.  Nothing of it that trains is kept."""
    alone = trace.until(twin.since, twin.experiment)
    last = max(alone.moments)
    alone.moments, alone.checkpoints = {last: alone.moments[last]}, {}
    alone.record = copy(twin.record)
    return RecordedTwin(alone, twin.since, twin.edits, twin.experiment.done, twin.band, f"twin at {twin.since}")


class StepOfLab(RecordedStep):
    """A recorded step as a lab shows it: with the anchors that the next step will have."""

    def __init__(self, trace: Trace, step: int):
        super().__init__(trace, step)
        for name, term in self.objective.items():
            column = trace.record.columns[f"{name}_anchor"]
            term.anchor = column[step] if step < len(column) else trace.record.anchors[name]


class _Shown:
    """What `screen_state` asks of a lab."""

    speed = told = before = twin_labels = None
    reason, window, run_id = "", 1, 0
    player, slow_motion = SimpleNamespace(playing=False, slow=False), SimpleNamespace(rehearsal=None)

    def __init__(self, trace: Trace, step: int, twin: RecordedTwin | None):
        self.experiment = StepOfLab(trace, step)
        self.record, self.look, self.twin = self.experiment.record, self.experiment.look(), twin

    @staticmethod
    def encode(images, columns=8):
        return webp(images, columns)


# ---- a file ----------------------------------------------------------------------------------------------------------


def save_page(lab, path: Path | str) -> Path:
    """Write the lab's run so far as one HTML file to play, whole or not at all, and return the path."""
    trace, title = lab.trace, f"{title_of_method(lab.experiment.method)}, seed {lab.experiment.seed}"
    told = [edit for edit in trace.record.edits if edit.step or edit.term != STUDENT]  # which learns as a rule
    changes = [f"{shortly_told(edit, trace.terms)} at step {edit.step:,}" for edit in told]
    words = "A run of the live lab" + (f". Changed: {'; '.join(changes)}." if changes else ", as it comes.")
    made = f"rdskd-lab {__version__}, seed {lab.experiment.seed}"
    now = [past_twin(lab.twin, trace)] if lab.twin is not None else []
    branches, run = {"run": Branch(trace)}, about_run(lab.experiment)
    about = Recording(title, words, run, branches, trace.stride, trace.stride, made, [*lab.past_twins, *now])
    write_whole(path, page(title, player([packed(about)])).encode())
    return Path(path)


def page(title: str, body: str) -> str:
    """Write a whole page around a player.  It may load nothing from anywhere."""
    return PAGE.format(title=escape(title), body=body)


def player(recordings: list[dict]) -> str:
    """Write a player with its recordings as part of a page; {"title": ..., "href": ...} stands for another page."""
    screen, ours = files("rdskd_lab.lab.widgets"), files(__package__)
    style = (screen / "screen.css").read_text("utf-8") + (ours / "page.css").read_text("utf-8")
    script = (screen / "screen.js").read_text("utf-8") + (ours / "page.js").read_text("utf-8").replace(IMPORT, "")
    held = json.dumps(recordings, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return PLAYER.format(style=style, held=held, script=script)


IMPORT = 'import { draw } from "./screen.js";\n'  # both scripts stand in one
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>{title}</title>
<main>
<h1>{title}</h1>
{body}
</main>
</html>
"""
PLAYER = """<style>{style}</style>
<div id="player"></div>
<script type="application/json" id="recordings">{held}</script>
<script type="module">
{script}
mount(document.querySelector("#player"), JSON.parse(document.querySelector("#recordings").textContent));
</script>
"""


# ---- frames ----------------------------------------------------------------------------------------------------------


def packed(about: Recording) -> dict:
    """Return a recording as JSON can hold it: see `page.js` for how it is read."""
    told = {name: getattr(about, name) for name in ("title", "words", "made", "every", "images", "run")}
    branches = {key: _branch(about, key) for key in about.branches}
    # the curves of twins that are no branch
    ghosts = {twin.key: {"since": twin.since, "course": _course(twin.trace, twin.since)} for twin in about.twins}
    return told | {"branches": branches, "ghosts": ghosts}


def about_run(experiment: Experiment) -> dict:
    """Return what teacher, test images and terms of a live run are, for the page."""
    lab = SimpleNamespace(experiment=experiment, run_id=0, only="", record=SimpleNamespace(edits=[]), encode=encode)
    return run_state(lab) | {"device": "cpu"}


def _branch(about: Recording, key: str) -> dict:
    branch = about.branches[key]
    twins = list(about.twins)
    if branch.parent:
        parent = about.branches[branch.parent].trace
        until = min(len(parent), len(branch.trace))
        twins = [RecordedTwin(parent, branch.since, branch.edits, until, band_for(parent, branch.since), branch.parent)]
    steps = [at for at in sorted(branch.trace.moments) if at >= branch.since and at % about.every == 0]
    lives = [_live(branch.trace, at, twins) for at in steps]
    sheets = [live.pop("sheet") for live in lives]
    kept = [at % about.images == 0 and (at > branch.since or not branch.parent) for at in steps]
    sheets = {at: sheet for at, sheet, is_kept in zip(steps, sheets, kept, strict=True) if is_kept}
    return {
        "since": branch.since,
        "parent": branch.parent,
        "steps": steps,
        "does": _does(branch.edits),
        "names": [shortly_told(edit, branch.trace.terms) for edit in branch.edits],
        "edits": [[edit.step, shortly_told(edit, branch.trace.terms), edit.term] for edit in branch.trace.record.edits],
        "sheets": {
            "steps": [*sheets],
            "png": [one.pop("png") for one in sheets.values()],
            "rest": transposed(rounded([*sheets.values()])),
        },
        "frames": transposed(rounded(lives)),
        "course": _course(branch.trace, branch.since),
    }


def _live(trace: Trace, step: int, twins: list[RecordedTwin]) -> dict:
    """What the lab's screen would show after `step` steps."""
    twin = next((one for one in reversed(twins) if one.since <= step <= one.until), None)
    if twin is not None:
        twin.follow_to(step, trace.record)
    live = live_state(_Shown(trace, step, twin))
    live["sheet"].pop("changed")
    live["sheet"]["certainty"] = [math.floor(100 * sure + 0.5) / 100 for sure in live["sheet"]["certainty"]]
    if twin is not None:
        live["twin"]["of"] = twin.key
    return {name: value for name, value in live.items() if name not in LEFT_OUT}


def _does(edits: tuple[Edit, ...]) -> dict | None:
    """The action of the page that leads into a branch."""
    if not edits:
        return None
    one = edits[0]
    if one.field == "strength":
        return {"do": "strength", "value": one.value}
    return {"do": "edit", "term": one.term, "field": one.field, "value": one.value}


def _course(trace: Trace, since: int) -> dict:
    """The curves from step `since` on: every term on the fixed probe, its anchor, and the student."""
    record, shown = trace.record, StepOfLab(trace, len(trace))
    at = [k for k, step in enumerate(record.probe["step"]) if step >= since]
    steps = [record.probe["step"][k] for k in at]
    tested = [k for k, step in enumerate(record.student["step"]) if step >= since]
    return rounded(
        {
            "steps": steps,
            "terms": {
                name: {
                    "probe": [plain(record.probe[name][k]) for k in at],
                    "anchor": [anchor_after(record, name, step, term) for step in steps],
                }
                for name, term in shown.objective.items()
            },
            "student": {
                "steps": [record.student["step"][k] for k in tested],
                "value": [plain(record.student["accuracy"][k]) for k in tested],
            },
        }
    )


def band_for(trace: Trace, step: int) -> Band | None:
    """Return what luck leads to, if it was measured for runs like this one as it was at `step`."""
    was, band = StepOfLab(trace, step), stored_band()
    was.own_teacher, was.start = trace.own_teacher, trace.start
    was.run = SimpleNamespace(settings=Settings(**trace.settings))
    return band if band is not None and band.suits(was) else None


# ---- small -----------------------------------------------------------------------------------------------------------


def webp(images: np.ndarray, columns: int = 8) -> str:
    """Write images (N, C, S, S) uint8 side by side as a small picture, as the address of it."""
    from PIL import Image

    pixels = mosaic(images, columns)
    picture, file = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels), io.BytesIO()
    picture.save(file, "webp", quality=QUALITY, method=6)
    return base64.b64encode(file.getvalue()).decode()


def rounded(value):
    """Round every number in lists and dicts to DIGITS."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short == int(short) else short
    return value


def transposed(rows: list):
    """Turn a list of equal things into columns: {"=": what never changes}, {"{": by name}, or {"[": the rows}."""
    if all(row == rows[0] for row in rows):
        return {"=": rows[0]}
    if all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
        return {"{": {name: transposed([row[name] for row in rows]) for name in rows[0]}}
    return {"[": rows}
