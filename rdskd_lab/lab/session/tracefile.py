"""A trace on disk: one .npz of plain arrays, of which `facts` is a JSON text.  Never a pickle.

What is read is checked before anything is made of it, so that a trace from a stranger opens or is refused in one
sentence.  A file names its terms and brings their words, so that it opens in every later version whatever becomes of
the methods.  FORMAT goes up when something is added, and older formats stay readable.
"""

import io
import json
import math
import re
import zipfile
from array import array
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from ... import __version__
from ...methods.method import Settings
from ...methods.registry import describe
from ...networks.weights import write_whole
from ...objective import ANCHORS, Objective, Term, Words
from .experiment import Look
from .record import PARTS, STUDENT, Edit, Record, rule_of
from .trace import Moment, Trace, TraceError, not_recorded

FORMAT = 3  # of the file; older ones are read, newer ones refused
FORMAT_1 = {  # the terms of a file of format 1, which does not name them: by method, with weights, and which are damped
    "rdskd": ({"oh": 1.0, "ie": 1.0, "ds": 1.0}, ("oh", "ie")),
    "rdskd+bn": ({"oh": 1.0, "ie": 1.0, "ds": 1.0, "bn": 0.1}, ("oh", "ie")),
    "dafl": ({"oh": 1.0, "ie": 5 / math.log(10), "act": 0.1}, ()),
    "mskd": ({"oh": 1.0, "ie": 5 / math.log(10), "act": 0.1, "ms": 1.0}, ()),
    "dfad": ({"adv": 1.0}, ()),
}
WORDS = ("name", "formula", "unit", "range", "purpose")
IMAGES = 64  # of a moment at most
LARGEST = 300e6  # bytes of a file, unpacked
LOOKS = ("raw", "norm", "share", "cosine")  # of a Look, one number a term


def save(trace: Trace, path: Path | str, checkpoints: bool = True) -> Path:
    """Write a trace to `path`, whole or not at all; without checkpoints 1,000 steps take 2 MB at most."""
    steps = sorted(trace.moments)
    moments = [trace.moments[step] for step in steps]
    facts = {
        "format": FORMAT,
        "version": __version__,
        **trace.facts(),
        "terms": {name: _written(term) for name, term in trace.terms.items()},
        "edits": [asdict(e) for e in trace.record.edits],
    }
    arrays = {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "columns": np.array([trace.record.column(name) for name in _columns(trace.record)]),
        "student": np.array([trace.record.student[name] for name in ("step", "accuracy")], float),
        "probe": np.array([*trace.record.probe.values()], float),
        "seen": np.array([*trace.record.seen.values()], float),
        "moment/step": np.array(steps, np.int64),
        "moment/shares": np.array([moment.shares for moment in moments]),
    }
    for name in "images", "labels", "confidence":
        arrays[f"moment/{name}"] = np.array([getattr(moment.look, name) for moment in moments])
    for name in LOOKS:
        arrays[f"moment/{name}"] = np.array([[*getattr(moment.look, name).values()] for moment in moments])
    for step, kept in trace.checkpoints.items() if checkpoints else ():
        arrays |= {f"checkpoint/{step}/{name}": tensor for name, tensor in kept.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_whole(path, content.getvalue())
    return Path(path)


def open_trace(path: Path | str) -> Trace:
    """Read a trace from a file and check it; raise TraceError for a file that is not one."""
    path = Path(path)
    if not path.is_file():
        raise TraceError(f"there is no file {path}; lab.trace is saved with save(lab.trace, path)")
    try:
        return _trace(_arrays(path.read_bytes()))
    except TraceError as error:
        raise TraceError(f"{path} cannot be opened: {error}") from error
    except Exception as error:  # a foreign file can fail in any way
        raise TraceError(
            f"{path} is not a whole trace of rdskd-lab ({type(error).__name__}); record it again, or ask for it again"
        ) from error


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        size = sum(part.file_size for part in file.infolist())
    if size > LARGEST:
        raise TraceError(f"it unpacks to {size / 1e6:,.0f} MB, and {LARGEST / 1e6:,.0f} are allowed")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _trace(arrays: dict[str, np.ndarray]) -> Trace:
    facts = json.loads(arrays["facts"].tobytes())
    if type(facts["format"]) is not int or facts["format"] > FORMAT:
        raise TraceError(
            f"it was written by rdskd-lab {str(facts['version'])[:20]}, and this is {__version__}; update rdskd-lab"
        )
    method = facts["method"]
    _need(isinstance(method, str) and 0 < len(method) <= 40, "its method")
    objective = _terms(facts) if facts["format"] > 1 else _terms_of_format_1(method)
    classes = [str(name)[:20] for name in facts["classes"]]
    _need(2 <= len(classes) <= 1000 and isinstance(facts["seed"], int) and abs(facts["seed"]) < 2**62, "its set-up")
    record = Record(objective)
    columns, names = arrays["columns"], _columns(record, PARTS if facts["format"] > 2 else PARTS[:5])
    _need(columns.dtype == float and columns.shape == (len(names), columns.shape[1]), "its steps")
    n = columns.shape[1]
    _need(n < 10**7 and np.array_equal(columns[0], np.arange(n)), "the order of its steps")
    found = dict(zip(names, columns, strict=True))  # a file without strengths had only 1
    record.columns = {name: array("d", found.get(name, np.ones(n)).tolist()) for name in _columns(record)}
    record.columns["step"] = array("q", range(n))
    record.edits = [_edit(edit, objective, n) for edit in facts["edits"]]
    _need(record.edits == sorted(record.edits, key=lambda edit: edit.step), "the order of its edits")
    steps, accuracy = arrays["student"]
    _need(_ordered(steps, n) and ((accuracy >= 0) & (accuracy <= 1)).all(), "its student")
    record.student = {"step": array("q", steps.astype(int).tolist()), "accuracy": array("d", accuracy.tolist())}
    if facts["format"] > 2:
        record.probe = _course(arrays["probe"], record.probe, n)
        record.seen = _course(arrays["seen"], record.seen, n)
    trace = Trace(
        record,
        terms=objective,
        method=method,
        seed=facts["seed"],
        settings=_settings(facts["settings"]),
        classes=classes,
        own_teacher=bool(facts["own_teacher"]),
        start=str(facts.get("start", ""))[:20],
        version=str(facts["version"])[:20],
        shown=arrays["moment/images"].shape[1],
    )
    trace.moments = _moments(arrays, record, len(classes), n)
    for name, found in arrays.items():
        if name.startswith("checkpoint/"):
            _, step, part = name.split("/", 2)
            _need(step.isdecimal() and 0 < int(step) <= n, "a checkpoint")
            trace.checkpoints.setdefault(int(step), {})[part] = found
    return trace


def _written(term: Term) -> dict:
    """Return a term as it goes into the file; the rule "" is one of the learner's own."""
    words = {part: getattr(term.words, part) for part in WORDS}
    how = {name: getattr(term, name) for name in ("weight", "on", "damped", "strength")}
    return {**how, "rule": rule_of(term), "words": words}


def _terms(facts: dict) -> Objective:
    """Read the terms of a file, as they were set before step 0."""
    terms = Objective()
    for name, found in facts["terms"].items():
        _need(re.fullmatch("[A-Za-z0-9_+-]{1,20}", name) and name not in (STUDENT, "step"), "a term's name")
        weight, words, rule = found["weight"], [found["words"][part] for part in WORDS], found["rule"]
        strength = found.get("strength", 1.0)  # which the format 2 does not have
        _need(all(type(x) in (int, float) and math.isfinite(x) for x in (weight, strength)), "a term's weight")
        _need(type(found["on"]) is type(found["damped"]) is bool and rule in ("", *ANCHORS), "how a term is set")
        _need(all(isinstance(text, str) and len(text) <= 1000 for text in words), "a term's words")
        _need("<" not in re.sub("</?su[bp]>", "", words[1]), "a term's formula")  # it may be shown as HTML
        how = float(weight), found["on"], found["damped"], float(strength), ANCHORS.get(rule, not_recorded)
        terms[name] = Term(not_recorded, *how, words=Words(*words))
    columns = _columns(Record(terms))
    _need(0 < len(terms) <= 40 and len(set(columns)) == len(columns), "its terms")
    return terms


def _terms_of_format_1(method: str) -> Objective:
    if method not in FORMAT_1:
        raise TraceError(f"it plays {method[:20]!r}, and files of its format play {', '.join(FORMAT_1)}")
    weights, damped = FORMAT_1[method]
    return Objective(
        {
            name: Term(not_recorded, weight, damped=name in damped, words=describe(name))
            for name, weight in weights.items()
        }
    )


def _moments(arrays: dict, record: Record, classes: int, n: int) -> dict[int, Moment]:
    steps, images, labels = (arrays[f"moment/{name}"] for name in ("step", "images", "labels"))
    m, terms = len(steps), len(record.names)
    _need(m and steps.ndim == 1 and steps.dtype == np.int64 and _ordered(steps, n), "the order of its moments")
    _need(images.dtype == np.uint8 and images.ndim == 5 and len(images) == m, "its images")
    _need(images.shape[2] in (1, 3) and 0 < images.shape[3] == images.shape[4] <= 256, "its images")
    shown = images.shape[1]
    _need(0 < shown <= IMAGES, "the number of its images")
    _need(
        labels.dtype == np.int64 and labels.shape == (m, shown) and 0 <= labels.min() <= labels.max() < classes,
        "its labels",
    )
    shapes = {"confidence": (m, shown), "shares": (m, classes)} | {name: (m, terms) for name in LOOKS}
    for name, shape in shapes.items():
        found = arrays[f"moment/{name}"]
        _need(found.dtype.kind == "f" and found.shape == shape, f"its {name}")
        if name in ("confidence", "shares", "share"):
            _need(((found >= 0) & (found <= 1.001)).all(), f"its {name}")
    told = [arrays[f"moment/{name}"].tolist() for name in LOOKS]
    moments = {}
    for k, step in enumerate(steps.tolist()):
        numbers = [dict(zip(record.names, rows[k], strict=True)) for rows in told]
        look = Look(step, images[k], labels[k], arrays["moment/confidence"][k], *numbers)
        moments[step] = Moment(look, arrays["moment/shares"][k])
    return moments


def _settings(found: dict) -> dict:
    """Check that known settings are of their kind and of sizes that a laptop can hold; only resuming needs them."""
    largest = {"latent": 4096, "width": 512, "batch_size": 4096, "student_batch_size": 8192}
    known = {field.name: type(field.default) for field in fields(Settings)}
    settings = {name: value for name, value in found.items() if name != "weights"}
    for name, value in settings.items():
        kind = known.get(name)
        if kind is None:  # of another version
            continue
        _need(type(value) is kind or (kind is float and type(value) is int), "its settings")
        if name in largest:
            _need(0 < value <= largest[name], f"its {name}")
        elif kind in (int, float):
            _need(0 <= value < 1e9, f"its {name}")
    return {name: value for name, value in settings.items() if name in known or value}  # 0: an addition since given up


def _edit(found: dict, objective, n: int) -> Edit:
    edit = Edit(**found)
    _need(type(edit.step) is int and 0 <= edit.step <= n and isinstance(edit.term, str), "an edit")
    edit.check(objective)
    _need(type(edit.value) is bool or edit.field in ("weight", "rule", "strength"), "an edit")
    return edit


def _course(rows: np.ndarray, like: dict, n: int) -> dict[str, array]:
    """Read columns of which the first counts steps; the others may hold NaN where nothing was seen yet."""
    _need(rows.dtype == float and rows.ndim == 2 and len(rows) == len(like) and _ordered(rows[0], n), "its probe")
    kept = {name: array("d", row.tolist()) for name, row in zip(like, rows, strict=True)}
    return kept | {"step": array("q", rows[0].astype(int).tolist())}


def _columns(record: Record, parts: tuple[str, ...] = PARTS) -> list[str]:
    return ["step", *(name + part for name in record.names for part in parts)]


def _ordered(steps: np.ndarray, n: int) -> bool:
    return bool((np.diff(steps) > 0).all() and ((steps >= 0) & (steps <= n)).all())


def _need(right: bool, what: str) -> None:
    if not right:
        raise TraceError(f"{what} cannot be right; record it again, or ask for it again")
