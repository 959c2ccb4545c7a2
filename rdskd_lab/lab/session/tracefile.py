"""A trace on disk: one .npz of plain arrays, of which `facts` is a JSON text.  Never a pickle.

What is read is checked before anything is made of it, so that a trace from a stranger opens or is refused in one
sentence, and a trace of this version opens in every later one: FORMAT goes up when something is added, and stays
readable.
"""

import io
import json
import zipfile
from array import array
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from ... import __version__
from ...methods.method import Settings
from ...networks.weights import write_whole
from .experiment import PLAYABLE, Look
from .record import PARTS, Edit, Record
from .trace import SHOWN, Moment, Trace, TraceError

FORMAT = 1  # of the file; older ones are read, newer ones refused
LARGEST = 300e6  # bytes of a file, unpacked
LOOKS = ("raw", "norm", "share", "cosine")  # of a Look, one number a term


def save(trace: Trace, path: Path | str, checkpoints: bool = True) -> Path:
    """Write a trace to `path`, whole or not at all; without checkpoints a run of 1,000 steps takes 2 MB at most."""
    steps = sorted(trace.moments)
    moments = [trace.moments[step] for step in steps]
    facts = {
        "format": FORMAT,
        "version": __version__,
        **trace.facts(),
        "edits": [asdict(e) for e in trace.record.edits],
    }
    arrays = {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "columns": np.array([trace.record.column(name) for name in _columns(trace.record)]),
        "student": np.array([trace.record.student[name] for name in ("step", "accuracy")], float),
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
    """A trace from a file, checked; a file that is not one is refused in a sentence."""
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
    if not isinstance(facts["format"], int) or facts["format"] > FORMAT:
        raise TraceError(
            f"it was written by rdskd-lab {str(facts['version'])[:20]}, and this is {__version__}; update rdskd-lab"
        )
    if facts["method"] not in PLAYABLE:
        raise TraceError(f"it plays {str(facts['method'])[:20]!r}, and this version has {', '.join(PLAYABLE)}")
    objective = PLAYABLE[facts["method"]].terms()
    classes = [str(name)[:20] for name in facts["classes"]]
    _need(2 <= len(classes) <= 1000 and isinstance(facts["seed"], int) and abs(facts["seed"]) < 2**62, "its set-up")
    record = Record(objective)
    columns = arrays["columns"]
    _need(columns.dtype == float and columns.shape == (len(_columns(record)), columns.shape[1]), "its steps")
    n = columns.shape[1]
    _need(n < 10**7 and np.array_equal(columns[0], np.arange(n)), "the order of its steps")
    record.columns = {name: array("d", row.tolist()) for name, row in zip(_columns(record), columns, strict=True)}
    record.columns["step"] = array("q", range(n))
    record.edits = [_edit(edit, objective, n) for edit in facts["edits"]]
    _need(record.edits == sorted(record.edits, key=lambda edit: edit.step), "the order of its edits")
    steps, accuracy = arrays["student"]
    _need(_ordered(steps, n) and ((accuracy >= 0) & (accuracy <= 1)).all(), "its student")
    record.student = {"step": array("q", steps.astype(int).tolist()), "accuracy": array("d", accuracy.tolist())}
    trace = Trace(
        record, method=facts["method"], seed=facts["seed"], settings=_settings(facts["settings"]), classes=classes,
        own_teacher=bool(facts["own_teacher"]), version=str(facts["version"])[:20],
    )  # fmt: skip
    trace.moments = _moments(arrays, record, len(classes), n)
    for name, found in arrays.items():
        if name.startswith("checkpoint/"):
            _, step, part = name.split("/", 2)
            _need(step.isdecimal() and 0 < int(step) <= n, "a checkpoint")
            trace.checkpoints.setdefault(int(step), {})[part] = found
    return trace


def _moments(arrays: dict, record: Record, classes: int, n: int) -> dict[int, Moment]:
    steps, images, labels = (arrays[f"moment/{name}"] for name in ("step", "images", "labels"))
    m, terms = len(steps), len(record.names)
    _need(m and steps.ndim == 1 and steps.dtype == np.int64 and _ordered(steps, n), "the order of its moments")
    _need(images.dtype == np.uint8 and images.ndim == 5 and images.shape[:2] == (m, SHOWN), "its images")
    _need(images.shape[2] in (1, 3) and images.shape[3] == images.shape[4] <= 256, "its images")
    _need(
        labels.dtype == np.int64 and labels.shape == (m, SHOWN) and 0 <= labels.min() <= labels.max() < classes,
        "its labels",
    )
    shapes = {"confidence": (m, SHOWN), "shares": (m, classes)} | {name: (m, terms) for name in LOOKS}
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
    """Settings of this version, of sizes that a laptop can hold."""
    largest = {"latent": 4096, "width": 512, "batch_size": 4096, "student_batch_size": 8192}
    known = {field.name: type(field.default) for field in fields(Settings)}
    settings = {name: value for name, value in found.items() if name != "weights"}
    for name, value in settings.items():
        _need(
            name in known and (type(value) is known[name] or (known[name] is float and type(value) is int)),
            "its settings",
        )
        if name in largest:
            _need(0 < value <= largest[name], f"its {name}")
        elif known[name] in (int, float):
            _need(0 <= value < 1e9, f"its {name}")
    return settings


def _edit(found: dict, objective, n: int) -> Edit:
    edit = Edit(**found)
    _need(type(edit.step) is int and 0 <= edit.step <= n and isinstance(edit.term, str), "an edit")
    edit.check(objective)
    _need(type(edit.value) is bool or edit.field in ("weight", "rule"), "an edit")
    return edit


def _columns(record: Record) -> list[str]:
    return ["step", *(name + part for name in record.names for part in PARTS)]


def _ordered(steps: np.ndarray, n: int) -> bool:
    return bool((np.diff(steps) > 0).all() and ((steps >= 0) & (steps <= n)).all())


def _need(right: bool, what: str) -> None:
    if not right:
        raise TraceError(f"{what} cannot be right; record it again, or ask for it again")
