"""The command line as a person meets it: help, progress, results, Ctrl-C, and one sentence where something is wrong."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from pickles import Code
from PIL import Image

from rdskd_lab import cli
from rdskd_lab.datasets import SETS, load
from rdskd_lab.methods.rdskd import PRESETS
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.networks.weights import fingerprint, save_weights
from rdskd_lab.runs import config, execute

TINY = "--set generator_steps=6 --set student_steps=8 --set batch_size=16 --set width=4 --set student_batch_size=16"
LEFT = set(
    "config.json history.csv generator.safetensors student.safetensors samples.npz result.json report.html".split()
)


@pytest.fixture
def lab(capfd, monkeypatch):
    """Run a command line; gives exit status, stdout, stderr."""
    monkeypatch.setattr(execute, "MEASURES", 2)
    monkeypatch.setenv("COLUMNS", "80")

    def lab(*words):
        try:
            cli.main([part for word in words for part in (word.split() if isinstance(word, str) else [str(word)])])
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capfd.readouterr()

    return lab


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run, done by the command line."""
    out = tmp_path_factory.mktemp("done") / "run"
    options = f"{TINY} --off ds --weight ie=5 --weight oh=0.5 --anchor previous --seed 3"
    cli.main(["distill", "--out", str(out), *options.split()])
    return out


def content(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize(
    "command", ["", "distill", "evaluate", "train-teacher", "report", "compare", "study run", "doctor"]
)
def test_help_fits_a_terminal_and_every_option_says_what_it_is(command, lab):
    status, out, err = lab(command, "--help")
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    options = [line for line in out.splitlines() if line.strip().startswith("--")]
    assert options and all("  " in line.strip() for line in options)  # a text beside each


def test_help_of_distill_explains_the_terms_and_lists_presets_settings_methods_and_data(lab):
    text = " ".join(lab("distill --help")[1].split())
    for name in ("oh one-hot", "ie information entropy", "ds diversity seeking", "exp(loss - anchor)", *SETS, *METHODS):
        assert name in text
    for name in (*PRESETS, *(name for name in vars(PRESETS["classroom"]) if name != "weights")):
        assert name in text


def test_without_arguments_there_is_help(lab):
    assert lab() == lab("--help")


# ---- a run ---------------------------------------------------------------------------------------------------------


def test_a_run_leaves_what_was_asked_for(done):
    assert {path.name for path in done.iterdir()} == LEFT and list(done.parent.iterdir()) == [done]
    facts = json.loads((done / "config.json").read_text())
    assert facts["seed"] == 3 and facts["settings"]["width"] == 4
    assert facts["terms"] == {
        "oh": {"weight": 0.5, "on": True, "damped": True, "rule": "previous"},
        "ie": {"weight": 5.0, "on": True, "damped": True, "rule": "previous"},
        "ds": {"weight": 1.0, "on": False, "damped": False, "rule": "none"},
    }
    rows = list(csv.DictReader((done / "history.csv").read_text().splitlines()))
    assert {(row["oh_weight"], row["ie_weight"], row["ds_gain"]) for row in rows[:6]} == {("0.5", "5", "0")}


def test_it_ends_with_what_came_of_it_and_is_short_about_it_in_a_pipe(tmp_path, lab):
    status, out, err = lab("distill --out", tmp_path / "run", TINY)
    found = json.loads((tmp_path / "run/result.json").read_text())
    assert status == 0 and found["test_images"] == 1000
    student, teacher, report = out.splitlines()
    assert student.startswith(f"student: {found['student_accuracy']:.2%} of 1,000 real images")
    assert teacher.startswith(f"teacher: {found['teacher_accuracy']:.2%}")
    assert report == f"report:  {tmp_path / 'run/report.html'}"
    lines = [line for line in err.splitlines() if not line.startswith("rdskd-lab: warning")]
    assert len(lines) == 10 and "\r" not in err
    assert lines[4].startswith("generator: 6/6 steps, ") and "left, oh " in lines[4]
    assert lines[9].startswith("student: 8/8 steps, ") and "left, kd " in lines[9]


def test_progress_counts_from_where_a_run_goes_on():
    class Step:
        phase, raw = "distill", {"kd": 1.0}

        def __init__(self, i):
            self.i = i

    steps = [Step(i) for i in range(90, 100)]
    for adapter in cli._lines, cli._bar:
        assert list(adapter(iter(steps), "distill", 90, 100)) == steps


def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left(tmp_path):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-m", "rdskd_lab", "distill", "--out", str(tmp_path / "run"), *TINY.split()]
    process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # how Linux says that the other end was closed
        pass
    assert process.wait() == 0
    assert b"generator: 100%|" in shown and b"step/s" in shown and b"<00:00" in shown


def test_it_goes_on_without_plotly_and_says_so(tmp_path, lab, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "plotly"] + ["plotly", "plotly.offline"]:
        monkeypatch.setitem(sys.modules, name, None)
    status, out, err = lab("distill --out", tmp_path / "run", TINY)
    assert status == 0 and out.startswith("student: ") and "report" not in out
    assert "plotly" in err and "rdskd-lab report" in err
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT - {"report.html"}


# ---- the other commands --------------------------------------------------------------------------------------------


def test_evaluate_takes_a_folder_or_a_file(done, lab):
    found = json.loads((done / "result.json").read_text())
    said = [lab("evaluate", done), lab("evaluate", done / "student.safetensors", "--data digits --teacher lenet5")]
    assert said[0] == said[1]
    status, out, err = said[0]
    assert (status, err) == (0, "")
    assert out == (
        f"1,000 images of digits test: student {found['student_accuracy']:.2%}, teacher "
        f"{found['teacher_accuracy']:.2%}, same answer {found['agreement']:.2%}\n"
    )


def test_report_writes_the_page_again(done, lab):
    page = done / "report.html"
    before = page.read_text()
    page.unlink()
    assert lab("report", done) == (0, f"report:  {page}\n", "")
    assert page.read_text() == before


def test_a_report_of_damaged_files_is_refused_in_a_sentence(done, tmp_path, lab):
    text = (done / "history.csv").read_text()
    wrong = [("history.csv", text.replace("synthesise,3,", "synthesise,3x,")), ("samples.npz", "PK\3\4, cut short")]
    for n, (name, damaged) in enumerate((*wrong, ("samples.npz", ""), ("result.json", "{"), ("result.json", "[]"))):
        run = shutil.copytree(done, tmp_path / str(n))
        (run / name).write_text(damaged)
        status, out, err = lab("report", run)
        assert status == 1 and out == "" and err.count("\n") == 1 and "damaged" in err


def test_train_teacher_writes_a_teacher_that_can_be_used(tmp_path, lab, monkeypatch):
    out = tmp_path / "new" / "teacher.safetensors"
    status, said, err = lab("train-teacher --data digits --epochs 1 --out", out)
    assert (status, err) == (0, "")
    first, second = said.splitlines()
    assert first.startswith("epoch 1: loss ") and second.startswith(f"{out}: ") and fingerprint(out) in second
    right = second.split(": ")[1].split(" of 1,000 test images; sha256 ")[0]
    assert float(right[:-1]) > 30  # 32 steps
    save_weights(LeNet5Half(), tmp_path / "student")
    assert f"teacher {right}," in lab("evaluate", tmp_path / "student", "--teacher", out)[1]
    before = out.read_bytes()

    def refused(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("rdskd_lab.runs.train_teacher.accuracy", refused)
    assert lab("train-teacher --data digits --epochs 1 --seed 1 --out", out) == (130, "", "rdskd-lab: stopped\n")
    assert out.read_bytes() == before and [path.name for path in out.parent.iterdir()] == [out.name]


# ---- one sentence --------------------------------------------------------------------------------------------------


def made(folder):
    """A folder with things that are not what they should be."""
    save_weights(LeNet5(1, 7), folder / "seven.safetensors")
    torch.save({"fc2.bias": Code(folder / "ran")}, folder / "pickle.pt")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("dear")
    (folder / "full" / "fluctuation.csv").write_text("study;method;outcome\nfluctuation;rdskd;finished\n")
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


SENTENCES = [
    ("distill", 2, "Missing option '--out'"),
    ("distil --out DIR/new", 2, "No such command 'distil'"),
    ("distill --out DIR/new --preet classroom", 2, "No such option: --preet"),
    ("distill --out DIR/new --seed one", 2, "Invalid value for '--seed'"),
    ("distill --out DIR/new --preset clasroom", 1, "no preset 'clasroom'"),
    ("distill --out DIR/new --weight ie=abc", 1, "must be a number, not 'abc'"),
    ("distill --out DIR/new --weight =5", 1, "NAME=VALUE, not '=5'"),
    ("distill --out DIR/new --set width=4=5", 1, "NAME=VALUE, not 'width=4=5'"),
    ("distill --out DIR/new --teacher DIR/pickle.pt", 1, "could run code"),
    ("distill --out DIR/new --teacher DIR/seven.safetensors", 1, "fc2.weight is (7, 84) in the file"),
    ("distill --out DIR/pickle.pt", 1, "(it is a file)"),
    ("distill --out DIR/new --resume", 1, "there is no run in"),
    ("evaluate DIR/new", 1, "there is no weights file"),
    ("evaluate DIR/full", 1, "there is no run in"),
    ("evaluate DIR/seven.safetensors", 1, "does not fit this LeNet5Half"),
    ("report DIR/full", 1, "there is no run in"),
    ("train-teacher --out DIR/full", 1, "(it is a folder)"),
    ("train-teacher --out DIR/pickle.pt/x", 1, "cannot write"),
    ("train-teacher --out DIR/new --network lenet6", 1, "no network 'lenet6'"),
    ("train-teacher --out DIR/new --epochs 0", 2, "Invalid value for '--epochs'"),
    ("train-teacher --out DIR/new --data digits --seed 99999999999999999999", 2, "Invalid value for '--seed'"),
    ("study scoreboard DIR/full", 1, "fluctuation.csv has no column outcome"),
    ("study run fluctuation --out DIR/new --workers -1 --preset none", 2, "Invalid value for '--workers'"),
]


@pytest.mark.parametrize(("command", "status", "sentence"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_a_mistake_gets_one_sentence_and_changes_nothing(command, status, sentence, tmp_path, lab):
    before = made(tmp_path)
    found, out, err = lab(command.replace("DIR", str(tmp_path)))
    assert (found, out) == (status, "")
    assert err.startswith("rdskd-lab: ") and err.count("\n") == 1 and sentence in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "new").exists() and not (tmp_path / "ran").exists()


@pytest.fixture
def little_room():
    """Files of at most 1 MB, for this process: what a full disk does to the large ones."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_without_room_for_the_report_all_else_of_the_run_is_kept(done, little_room, lab):
    before = content(done)
    status, out, err = lab("distill --resume --out", done)
    assert status == 1 and out.startswith("student: ") and err.count("\n") == 1
    assert f"report in {done} (the disk is full)" in err and err.endswith(f"rdskd-lab report {done}\n")
    assert content(done) == before


def test_a_teacher_that_finds_no_room_is_told_of_by_its_file(tmp_path, lab, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rdskd_lab.networks.weights.os.fsync", full)
    out = tmp_path / "teacher.safetensors"
    status, _, err = lab("train-teacher --data digits --epochs 1 --out", out)
    assert status == 1 and err.count("\n") == 1 and f"{out}: the disk is full" in err
    assert list(tmp_path.iterdir()) == []


def test_want_of_memory_outside_the_stages_is_told_too(tmp_path, lab, monkeypatch):
    def refuse(*args, **options):
        raise MemoryError

    monkeypatch.setattr(config, "load", refuse)
    status, out, err = lab("distill --out", tmp_path / "run")
    assert (status, out) == (1, "") and "out of memory" in err and err.count("\n") == 1


def test_the_command_that_started_a_run_resumes_it_and_what_differs_is_refused(done, lab):
    before = content(done)
    assert lab("distill --resume --device cpu --out", done)[0] == 0  # the device may be another
    again = f"{TINY} --off ds --weight ie=5 --anchor previous --seed 3 --data digits --resume"
    assert lab("distill --out", done, again)[0] == 0
    for other, words in (("--seed 4", ("--seed 3", "4")), ("--set width=8", ("width = 4", "8")), ("--off oh", ("oh",))):
        status, out, err = lab("distill --resume --out", done, other)
        assert (status, out) == (1, "") and err.count("\n") == 1 and all(word in err for word in words)
    assert content(done) == before


def test_a_method_that_matches_statistics_says_which_teacher_it_took(tmp_path, lab):
    status, out, err = lab("distill --method rdskd+bn --out", tmp_path / "run", TINY)
    assert status == 0 and "lenet5-bn" in err.splitlines()[0]
    assert json.loads((tmp_path / "run/result.json").read_text())["teacher"] == "lenet5-bn"


def test_a_student_is_tested_on_other_data_by_the_names_of_its_classes(done, tmp_path, lab):
    """A run on a set whose classes are not alphabetical, and the same pictures as a folder, which numbers them so."""
    test, names = load("digits", "test"), [f"{9 - k} as a word" for k in range(10)]
    for part in "train", "test":
        for i in range(0, 1000, 10):
            place = tmp_path / "folder" / part / names[test.labels[i]]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(test.images[i, 0].numpy()).save(place / f"{i}.png")
    run = shutil.copytree(done, tmp_path / "run")
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | {"classes": names}))
    out = lab("evaluate", run, "--data", tmp_path / "folder")[1]
    assert float(out.split("teacher ")[1].split("%")[0]) > 80  # 0 to 20 by the folder's numbers


def test_the_version_is_printed_and_seeds_are_whole_numbers(tmp_path, lab):
    status, out, err = lab("--version")
    assert (status, err) == (0, "") and out.startswith("rdskd-lab ")
    for seeds in "1.5", "1e400", "0,0", "-1", "all":
        status, _, err = lab("compare --out", tmp_path / "c", "--seeds", seeds)
        assert status == 1 and "--seeds takes" in err and not (tmp_path / "c").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")
def test_an_output_that_cannot_be_written_is_told_apart_from_the_work(done):
    command = [sys.executable, "-m", "rdskd_lab", "evaluate", str(done)]
    with open("/dev/full", "w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 1 and found.stderr.count("\n") == 1 and "standard output" in found.stderr


def test_what_the_output_cannot_encode_is_written_with_backslashes(done, tmp_path):
    run = shutil.copytree(done, tmp_path / "łódź")
    command = [sys.executable, "-m", "rdskd_lab", "report", str(run)]
    for encoding in "ascii", "cp1252":
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        found = subprocess.run(command, capture_output=True, encoding=encoding, env=env)
        assert found.returncode == 0 and "\\u0142" in found.stdout and found.stderr == ""


def test_hints_can_be_pasted(tmp_path, done, capsys):
    run = shutil.copytree(done, tmp_path / "my run")
    (run / "student.safetensors").unlink()
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(run)])
    assert f"rdskd-lab distill --out '{run}' --resume" in capsys.readouterr().err


def test_a_bug_is_not_dressed_up_as_a_mistake(tmp_path, monkeypatch):
    def bug(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr(execute, "execute", bug)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["distill", "--out", str(tmp_path / "run")])


# ---- a teacher of one's own ----------------------------------------------------------------------------------------

OWN = """
import torch
from torch import nn
from rdskd_lab import LeNet5, load_weights

class Wrapped(nn.Module):
    def __init__(self, before=lambda x: x, after=lambda z: z):
        super().__init__()
        self.net, self.before, self.after, self.calls = load_weights(LeNet5(), "lenet5"), before, after, 0

    def forward(self, x):
        self.calls += 1
        return self.after(self.net(self.before(x)))

def plain():
    return Wrapped()

def inside():  # takes pixels in [0, 1]
    return Wrapped(before=lambda x: (x - 0.1307) / 0.3081)

def answers_tuple():
    return Wrapped(after=lambda z: (z, z.relu()))

def twelve():
    return Wrapped(after=lambda z: torch.cat([z, z[:, :2] + 9], 1))

class Fails(Wrapped):
    def forward(self, x):
        if self.calls > LIMIT:
            raise IndexError("the list is empty")
        return super().forward(x)

LIMIT = 1_000_000

def fails():
    return Fails()
"""
INPUT = "--channels 1 --size 32 --classes 10 --mean 0.1307 --std 0.3081"
SHAPE = f"{INPUT} --student lenet5-half"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module `ours` of somebody's in the working directory; gives its path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "ours", raising=False)
    (tmp_path / "ours.py").write_text(OWN)
    yield tmp_path / "ours.py"
    sys.modules.pop("ours", None)


def test_a_teacher_that_normalises_inside_is_shown_pixels_by_every_command(own, tmp_path, lab, monkeypatch):
    shown = "--teacher ours:inside --takes pixels --data digits", INPUT
    assert lab("distill --out", tmp_path / "a", TINY, *shown, "--student lenet5-half")[0] == 0
    assert lab("distill --out", tmp_path / "b", TINY, "--teacher ours:plain --data digits", SHAPE)[0] == 0
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in "ab"]
    assert results[0]["teacher_accuracy"] == results[1]["teacher_accuracy"] > 0.98
    assert json.loads((tmp_path / "a/config.json").read_text())["takes"] == "pixels"
    said = lab("evaluate", tmp_path / "a")[1]
    assert f"teacher {results[0]['teacher_accuracy']:.2%}" in said
    student = tmp_path / "a/student.safetensors"
    assert lab("evaluate", student, *shown, "--network lenet5-half")[1] == said
    wrong = lab("evaluate", student, "--teacher ours:inside --data digits", INPUT, "--network lenet5-half")[1]
    assert wrong.startswith("1,000 images") and wrong != said  # normalised twice
    shape = "--channels 1 --size 32 --classes 10 --student lenet5-half"
    assert lab("distill --out", tmp_path / "d", TINY, "--teacher ours:inside --takes pixels", shape)[0] == 0
    shown, seen = config.resolve(config.read_config(tmp_path / "d")).load("test"), []
    monkeypatch.setattr(config, "load", lambda *data, **how: seen.append(how) or load(*data, **how))
    assert lab("evaluate", tmp_path / "d", "--data digits")[::2] == (0, "")
    assert (seen[0]["mean"], seen[0]["std"]) == (shown.mean, shown.std)  # the student sees real images as it did those
    status, _, err = lab("distill --out", tmp_path / "c", "--teacher ours:inside --takes pixel", SHAPE)
    assert status == 1 and "no form of images 'pixel'" in err and not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("folder", "student"),
    [("foreign", "evil:net"), ("", "foreign.evil:net"), (".", "nets:net"), ("HERE", "foreign.evil:net")],
)
def test_code_that_a_run_brings_along_is_not_run(folder, student, done, tmp_path, lab, monkeypatch):
    """Whatever folder somebody else's config.json says: another, a relative one, or the right one and a module below."""
    run = shutil.copytree(done, tmp_path / "foreign/run")
    for place in run, run.parent:
        (place / "evil.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.chdir(tmp_path)
    facts = json.loads((run / "config.json").read_text())
    folder = str(tmp_path) if folder == "HERE" else folder
    (run / "config.json").write_text(json.dumps(facts | {"student": student, "folder": folder}))
    for words in "evaluate foreign/run", "distill --resume --out foreign/run", "distill --from foreign/run --out new":
        status, out, err = lab(words)
        assert (status, out, err.count("\n")) == (1, "", 1) and f"names {student} in the folder {folder!r}" in err
    assert lab("report foreign/run")[0] == 0  # which runs none
    assert lab("evaluate foreign/run --network lenet5-half")[::2] == (0, "")
    status, _, err = lab("evaluate foreign/run --network evil:net")
    assert status == 1 and "cannot find evil:net" in err  # it is looked for here alone
    setup = config.resolve(config.Config(folder="foreign"))
    setup.networks(setup.load("test"))
    assert "foreign" not in sys.path  # where no module of somebody's is needed
    (run / "config.json").write_text(json.dumps(facts | {"student": "evil:net", "folder": str(run)}))
    monkeypatch.chdir(run)
    assert "must not be the run's own" in lab("evaluate .")[2] and not (tmp_path / "new").exists()


def test_the_head_is_named_and_a_wrong_name_is_told_the_nearest(own, tmp_path, lab):
    words = f"--teacher ours:plain --method dafl {TINY} --set student_steps=6 --set student_turn=1", SHAPE
    status, _, err = lab("distill --out", tmp_path / "a", *words, "--head net.fc3")
    assert status == 1 and "no layer 'net.fc3'. Did you mean 'net.fc" in err and not (tmp_path / "a").exists()
    acts = []
    for head in "net.fc1", "net.fc2":
        assert lab("distill --out", tmp_path / head, *words, "--head", head)[0] == 0
        rows = list(csv.DictReader((tmp_path / head / "history.csv").read_text().splitlines()))
        acts.append(rows[0]["act"])
    assert acts[0] != acts[1]  # another feature
    assert "--head net.fc2" in (tmp_path / "net.fc2/report.html").read_text().replace("</span> <span>", " ")


def test_a_teacher_that_answers_a_tuple_is_evaluated_without_data_and_with(own, tmp_path, lab):
    words = SHAPE.replace("--mean 0.1307 --std 0.3081", "")
    status, out, err = lab("distill --out", tmp_path / "run", TINY, "--teacher ours:answers_tuple", words)
    assert status == 0 and "no real image is used" in err.splitlines()[0] and "it is no forecast" in out
    found = json.loads((tmp_path / "run/result.json").read_text())
    assert (found["student_accuracy"], found["teacher_accuracy"], found["per_class_recall"]) == (None, None, None)
    header = (tmp_path / "run/history.csv").read_text().splitlines()[0]
    assert header.endswith(",agreement") and "accuracy" not in header
    status, out, err = lab("evaluate", tmp_path / "run")
    assert (status, err) == (0, "") and "correct" not in out and f"same answer {found['agreement']:.2%}" in out
    assert "student" not in out and "teacher" not in out  # nobody's accuracy
    status, out, err = lab("evaluate", tmp_path / "run", "--data digits")
    assert status == 0 and "no mean and std" in err and "0.5" in err and "student " in out
    status, right, err = lab("evaluate", tmp_path / "run", "--data digits --mean 0.1307 --std 0.3081")
    assert (status, err) == (0, "") and float(right.split("teacher ")[1].split("%")[0]) > 98
    other = "--teacher ours:twelve --data digits --network lenet5-half", INPUT
    status, out, err = lab("evaluate", tmp_path / "run/student.safetensors", *other)
    assert (status, out) == (1, "") and "the teacher answers 12 classes, digits test has 10" in err
    page = (tmp_path / "run/report.html").read_text()
    assert "is no forecast" in page and "no result yet" not in page and "none: a student" not in page


def test_a_network_that_fails_in_the_middle_leaves_a_run_that_can_be_resumed(own, tmp_path, lab):
    words = "distill --out", tmp_path / "run", TINY, "--teacher ours:fails", SHAPE
    own.write_text(OWN.replace("LIMIT = 1_000_000", "LIMIT = 12"))
    status, out, err = lab(*words)
    last = err.splitlines()[-1]
    assert (status, out) == (1, "") and "Traceback" not in err
    assert "a network failed in the generator stage: IndexError: the list is empty (ours.py:" in last
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]
    assert not (tmp_path / "run/result.json").exists()
    own.write_text(OWN)  # mended
    sys.modules.pop("ours")
    assert lab(*words, "--resume")[0] == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT
    assert lab("distill --out", tmp_path / "straight", TINY, "--teacher ours:fails", SHAPE)[0] == 0
    for name in "student.safetensors", "generator.safetensors":
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


def test_another_student_is_trained_on_a_finished_generator(done, tmp_path, lab):
    before = content(done)
    status, out, err = lab("distill --from", done, "--out", tmp_path / "b", "--student lenet5 --set student_steps=4")
    assert status == 0 and out.startswith("student: ") and content(done) == before
    assert "generator:" not in err and "student: 4/4 steps" in err
    facts = json.loads((tmp_path / "b/config.json").read_text())
    assert facts["seed"] == 3 and facts["settings"]["student_steps"] == 4 and facts["terms"]["ie"]["weight"] == 5
    assert json.loads((tmp_path / "b/result.json").read_text())["generator_from"]["run"] == done.name
    assert lab("distill --resume --out", tmp_path / "b", "--from", done)[0] == 0
    for words, sentence in (
        ("--set width=8", "width must stay 4, not 8"),
        ("--teacher lenet5-half", "another teacher"),
        ("--on ds", "No such option"),
    ):
        status, out, err = lab("distill --from", done, "--out", tmp_path / "c", words)
        assert status > 0 and err.count("\n") == 1 and sentence in err and not (tmp_path / "c").exists()
    status, _, err = lab("distill --from", tmp_path, "--out", tmp_path / "c")
    assert status == 1 and "there is no run in" in err and not (tmp_path / "c").exists()


def test_compare_and_study_take_a_teacher_by_the_options_of_distill(own, tmp_path, lab, monkeypatch):
    seen = []
    monkeypatch.setattr("rdskd_lab.runs.compare.compare", lambda plan, out: seen.append(plan.base) or iter(()))
    words = "--teacher ours:inside --takes pixels --head net.fc2", SHAPE
    assert lab("compare --out", tmp_path / "c", *words, "--data digits")[0] == 0
    base = seen[0]
    own_teacher = ("ours:inside", "pixels", "net.fc2", 1, (0.1307,))
    assert (base.teacher, base.takes, base.head, base.channels, base.mean) == own_teacher
    monkeypatch.setattr("rdskd_lab.studies.engine.run", lambda study, out, **how: seen.append(study) or iter(()))
    monkeypatch.setattr("rdskd_lab.studies.scoreboard.page", lambda study, out: "")
    assert lab("study run accuracy --out", tmp_path / "s", *words, "--data digits")[0] == 0
    configs = [trial.config for trial in seen[1].trials()]
    assert {(c.teacher, c.takes, c.head, c.data, c.size) for c in configs} == {
        ("ours:inside", "pixels", "net.fc2", "digits", 32)
    }
    assert len({trial.key for trial in seen[1].trials()}) == len(configs)
    for command in "compare --methods rdskd --seeds 0", "study run accuracy":
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        status, _, err = lab(command, "--out", tmp_path / "n", *words, "--data none")
        assert status == 1 and "real images; give --data" in err and not (tmp_path / "n").exists()


# ---- signals -------------------------------------------------------------------------------------------------------

SLOW = """
import sys, time
from rdskd_lab.runs import execute, run_folder
from rdskd_lab.__main__ import main
note = run_folder.Folder.note
run_folder.Folder.note = lambda *args: (note(*args), time.sleep(0.25))
main(sys.argv[1:])
"""


def started(out, *options):
    """A run that does four steps a second, in a process of its own."""
    command = [sys.executable, "-c", SLOW, "distill", "--out", str(out), *options]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def until(process, word):
    """Read its stderr up to a line with `word` in it."""
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"the run ended before it said {word!r}")


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
@pytest.mark.timeout(300)  # four runs, each stopped and resumed
def test_ctrl_c_and_sigterm_stop_a_run_in_each_stage_and_it_goes_on_to_the_same_weights(tmp_path, lab):
    out, options = tmp_path / "run", TINY.split()
    for number, stage in (signal.SIGINT, "generator: 3/6"), (signal.SIGTERM, "student: 2/8"):
        process = started(out, *options)
        until(process, stage)
        process.send_signal(number)
        said, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number and said == "" and "Traceback" not in err
        assert "stopping after this step" in err
        assert err.splitlines()[-1].endswith(f"rdskd-lab distill --out {out} --resume")
        options = [*TINY.split(), "--preset", "classroom", "--seed", "0", "--resume"]  # all of it again
    assert lab("distill --resume --out", out)[0] == 0
    assert {path.name for path in out.iterdir()} == LEFT
    lab("distill", TINY, "--out", tmp_path / "straight")
    for name in "student.safetensors", "generator.safetensors":
        assert (out / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_a_second_ctrl_c_stops_at_once_and_a_second_process_is_told_of_the_first(tmp_path, lab):
    out = tmp_path / "run"
    process = started(out, *TINY.split())
    until(process, "generator: 2/6")
    status, _, err = lab("distill --resume --out", out)
    assert status == 1 and err.count("\n") == 1
    assert f"is in use by process {process.pid} since {time.strftime('%Y-%m-%d')}" in err
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, 143) and "Traceback" not in err and "--resume" in err
    assert lab("distill --resume --out", out)[0] == 0


def test_ctrl_c_while_a_line_is_written_stops_the_run_too(monkeypatch):
    acts = {"writable": lambda _: True, "write": lambda _, data: signal.raise_signal(signal.SIGINT) or len(data)}
    stderr = io.TextIOWrapper(io.BufferedWriter(type("Raw", (io.RawIOBase,), acts)()), line_buffering=True)
    with cli._stoppable() as stopped:
        monkeypatch.setattr(sys, "stderr", stderr)
        print("generator: 3/6", file=sys.stderr)
        assert stopped() == signal.SIGINT


def test_ctrl_c_before_anything_was_begun_leaves_nothing(tmp_path, lab, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(config, "load", interrupted)
    status, out, err = lab("distill --out", tmp_path / "run")
    assert (status, out) == (130, "") and "Nothing was begun" in err
    assert list(tmp_path.iterdir()) == []
    assert load("digits", "test")
