"""A trial's key: everything that decides its result changes it, and nothing else does."""

import importlib
import os
import subprocess
import sys
from dataclasses import asdict, fields, make_dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from tiny_trials import tiny

from rdskd_lab import losses as L
from rdskd_lab.methods import building_blocks as blocks
from rdskd_lab.methods.method import Method, Settings
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.weights import SHIPPED
from rdskd_lab.objective import ANCHORS, Objective, Term
from rdskd_lab.runs.config import Config
from rdskd_lab.runs.execute import prepare
from rdskd_lab.studies import trial_key
from rdskd_lab.studies.fluctuation import measure_fluctuation

RDSKD = METHODS["rdskd"]


def test_a_key_is_of_what_the_configuration_decides():
    a = tiny()
    same = [tiny(**how) for how in ({}, {"weight": (("ie", 1.0),)}, {"weights": str(SHIPPED["lenet5"])})]
    same += [tiny(preset="long", change=(("reuse", "2"),)), replace(a, point="in other words", kind="lr")]
    same += [replace(a, config=replace(a.config, **how)) for how in ({"device": "auto"}, {"budget": "60s"})]
    assert {t.key for t in same} == {a.key}
    others = [tiny(seed=1), tiny(off=("ds",)), tiny(weight=(("ie", 2.0),)), tiny(change=(("lr", "0.5"),))]
    others += [tiny(anchor=anchor) for anchor in ("none", "average")] + [tiny(measure=measure_fluctuation)]
    others += [tiny(data="mnist"), tiny(mean=(0.1,)), tiny(teacher="lenet5-bn")]
    others += [tiny(method="rdskd+bn"), tiny(student="lenet5")]
    assert len({t.key for t in (a, *others)}) == 1 + len(others)


def rewritten():
    """RDSKD's table in other words."""

    def authenticity(batch):
        """Another docstring."""
        return L.one_hot(batch.logits)

    oh = Term(authenticity, damped=True, rule=lambda i, raw, anchor: ANCHORS["epoch"](i, raw, anchor))
    return Objective(oh=oh, **{name: term for name, term in RDSKD.terms().items() if name != "oh"})


def changed(**how):
    def table():
        objective = RDSKD.terms()
        for name, value in how.items():
            setattr(objective["oh"], name, value)
        return objective

    return replace(RDSKD, terms=table)


def by_another_name(steps, run):
    return blocks.pooling(steps, run)


def test_a_key_is_of_the_methods_terms_and_parts_and_not_of_their_words(monkeypatch):
    def key(method: Method) -> str:
        monkeypatch.setitem(METHODS, "rdskd", method)
        return tiny().key

    now = key(RDSKD)
    assert key(replace(RDSKD, terms=rewritten)) == now
    assert key(replace(RDSKD, seen="in other words", presets=dict(RDSKD.presets))) == now
    others = [
        changed(measure=lambda b: 1.001 * L.one_hot(b.logits)),
        changed(measure=lambda b: L.one_hot(b.logits) + (b.images - b.images.detach()).sum()),  # another gradient
        changed(measure=lambda b: L.one_hot(b.logits.detach())),
        changed(weight=2.0),
        changed(on=False),
        changed(damped=False),
        changed(anchor=0.5),
        replace(
            RDSKD, terms=partial(RDSKD.terms, diversity=lambda images, probs: L.diversity_seeking(images**2, probs))
        ),
        replace(RDSKD, adapters=(blocks.pooling, blocks.remembering)),
        replace(RDSKD, adapters=(by_another_name,)),
        replace(RDSKD, turns=blocks.by_turns),
        replace(RDSKD, batches=blocks.live),
        replace(RDSKD, student=METHODS["dfad"].student),
    ]
    assert len({now, *map(key, others)}) == 1 + len(others)
    monkeypatch.setitem(ANCHORS, "epoch", partial(ANCHORS["epoch"], every=60))
    assert tiny(anchor="epoch").key != now
    with pytest.raises(ValueError, match="lambda"):
        key(replace(RDSKD, batches=lambda run, start: None))


def test_a_new_setting_with_a_neutral_default_changes_no_key(monkeypatch):
    before = tiny().key
    wider = make_dataclass("Settings", [("new", float, 0.0)], bases=(Settings,), frozen=True)
    presets = {
        name: wider(**asdict(settings) | {"weights": settings.weights}) for name, settings in RDSKD.presets.items()
    }
    monkeypatch.setitem(METHODS, "rdskd", replace(RDSKD, presets=presets))
    assert tiny().setup.settings.new == 0 and tiny().key == before
    assert tiny(change=(("new", "1"),)).key != before


def test_a_key_is_of_the_bytes_of_the_teachers_weights_and_not_of_their_place(tmp_path):
    content = SHIPPED["lenet5"].read_bytes()
    places = [tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors")]
    for place in places:
        place.write_bytes(content if place != places[2] else content[:-1] + b"?")
    keys = [tiny(teacher=str(place)).key for place in places]
    assert keys[0] == keys[1] == tiny().key != keys[2]
    places[0].write_bytes(places[2].read_bytes())  # trained again in the same session, under the same name
    assert tiny(teacher=str(places[0])).key == keys[2]


def test_a_key_is_of_what_somebodys_own_networks_hold_and_compute_and_not_of_their_name(tmp_path, monkeypatch):
    code = "from torch import manual_seed, nn, tanh\n\n\nclass Net(nn.Linear):\n    def forward(self, x):\n"
    code += "        return {}(super().forward(x.flatten(1)))\n\n\ndef net():\n    {}\n    return Net(1024, 10)\n"
    asked = dict(teacher="keyed:net", channels=1, size=32, classes=10)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)

    def keys(*words):
        Path("keyed.py").write_text(code.format(*words))
        importlib.invalidate_caches()
        if "keyed" in sys.modules:
            importlib.reload(sys.modules["keyed"])
        return [tiny(**how).key for how in ({"data": "none"} | asked, {"data": "digits", "student": "keyed:net"})]

    first = keys("tanh", "manual_seed(3)")
    assert keys("tanh", "manual_seed(3)  # in other words") == first
    for words in ("tanh", "manual_seed(4)"), ("3 * tanh", "manual_seed(3)"):  # other weights; another architecture
        assert not set(keys(*words)) & set(first), words
    assert keys("tanh", "pass") == keys("tanh", "pass")  # weights that are drawn anew in every process


def test_a_key_is_the_same_in_another_process():
    paths = [str(Path(trial_key.__file__).parents[2]), str(Path(__file__).parent)]
    here = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "7"}
    text = "from tiny_trials import tiny; print(tiny(method='dafl').key)"
    done = subprocess.run([sys.executable, "-c", text], env=here, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == tiny(method="dafl").key


def test_every_part_of_a_method_has_a_name_of_its_own():
    parts = set()
    for method in METHODS.values():
        values = [
            getattr(method, f.name) for f in fields(method) if f.name not in ("terms", "student", "presets", "seen")
        ]
        parts |= {p for value in values for p in (value if isinstance(value, tuple) else (value,)) if callable(p)}
    assert len({part.__qualname__ for part in parts}) == len(parts)


# The sums of all terms after a few steps, source and student (or student alone), by TRAINING_VERSION.
MEASURED = {
    1: {
        "rdskd": [-1.615, 8.866],
        "rdskd+bn": [16.77, 9.972],
        "dafl": [-3.222, 9.635],
        "mskd": [-2.195, 1.571],
        "zskd": [1.856, 3.7],
        "deepinversion": [874.8, 7.14],
        "adaptive": [851.8, 4.733],
        "dfad": [4.793, -4.857],
        "noise": [6.081],
        "untrained": [9.774],
        "real": [33.12],
        "labels": [2.265],
    }
}


@pytest.mark.parametrize("name", MEASURED[trial_key.TRAINING_VERSION])
def test_training_gives_the_results_of_its_version(name):
    """If this fails, stored rows are no longer what training gives: raise TRAINING_VERSION, store new results here."""
    method = METHODS[name]
    sheet = 4 if method.presets["classroom"].sheet_steps > 1 else 1
    rounds = 0 if not method.terms() else 4 if method.turns is not blocks.after else 8 // sheet
    small = f"generator_steps={rounds * sheet} student_steps=4 sheet_steps={sheet} student_turn=1 "
    small += "batch_size=16 student_batch_size=16 width=4"
    change = tuple(tuple(word.split("=")) for word in small.split())
    run = prepare(Config(method=name, device="cpu", teacher="lenet5-bn", change=change))[0]
    last = {step.phase: sum(step.raw.values()) for step in run}
    assert list(last.values()) == pytest.approx(MEASURED[trial_key.TRAINING_VERSION][name], rel=0.01)


def test_defaults_that_a_key_leaves_out_are_those_of_its_version():
    """If this fails, a key without a setting means another run than before: raise TRAINING_VERSION."""
    now = Settings()
    assert (now.generator_steps, now.batch_size, now.latent, now.width, now.lr) == (2_400, 512, 100, 128, 1e-3)
    assert (now.sheet_steps, now.jitter, now.student_turn, now.reuse, now.augment, now.pooled) == (1, 0, 1, 1, 0, False)
    assert (now.student_steps, now.student_batch_size, now.student_lr) == (120_000, 512, 2e-3)
    assert (now.student_optimizer, now.student_schedule, now.temperature) == ("adam", "constant", 10)
