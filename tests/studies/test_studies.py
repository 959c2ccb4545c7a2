"""The studies: plans that ask what they should, measures that see it, and verdicts that follow from intervals."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from tiny_trials import tiny
from toys import records

from rdskd_lab.evaluation.image_quality import distance, fresh, seen
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.runs.config import resolve
from rdskd_lab.runs.execute import prepare
from rdskd_lab.studies import accuracy, fluctuation, robustness, verdict
from rdskd_lab.studies.fluctuation import measure_constant_weight, measure_fluctuation
from rdskd_lab.studies.registry import STUDIES
from rdskd_lab.studies.students import right, train_student

# ---- what is measured ------------------------------------------------------------------------------------------------


def test_a_trial_tells_what_compare_tells_and_what_the_guard_says(tmp_path):
    found = train_student(tiny().config, tmp_path / "a")
    assert found["outcome"] == "finished" and 0 <= found["student_accuracy"] <= 1 and found["distance"] > 0
    wild = tiny(change=(("lr", "1e30"),), weight=(("oh", 1e300),))
    stopped = train_student(wild.config, tmp_path / "b")
    assert "oh" in stopped["outcome"] and stopped["of_classes"] == found["of_classes"] == 10
    assert "oh" in measure_fluctuation(wild.config, tmp_path)["outcome"]
    assert measure_constant_weight(wild.config, tmp_path)["outcome"].startswith("its damped run: ")


def test_samples_are_those_of_the_last_generator_beside_what_the_student_saw(tmp_path):
    config = tiny(change=(("pooled", "true"), ("generator_steps", "8"), ("batch_size", "64"))).config
    found = train_student(config, tmp_path / "run")
    run = prepare(config)[0]
    for _ in run:
        pass
    images = fresh(run)
    assert len(images) == 2_000 and found["final_distance"] == pytest.approx(distance(images))
    shares = torch.bincount(run.teacher(images).argmax(1), minlength=10) / 2_000
    assert found["final_classes"] == int((shares >= 0.01).sum())
    assert found["final_entropy"] == pytest.approx(-sum(p * math.log(p) for p in shares.tolist() if p))
    assert found["final_distance"] != found["distance"] == pytest.approx(distance(seen(run)))


def test_pixels_that_were_optimised_have_no_generator_so_what_the_student_saw_is_reported(tmp_path):
    change = (("pooled", "true"), ("batch_size", "20"), ("sheet_steps", "2"), ("width", "16"))
    found = train_student(tiny(method="zskd", change=change).config, tmp_path)
    assert found["final_distance"] == found["distance"] and found["final_entropy"] == pytest.approx(found["entropy"])


def test_fluctuations_are_of_the_fixed_probe_beside_batches_and_floor(tmp_path):
    config = tiny(change=(("pooled", "false"), ("generator_steps", "9"))).config
    found = measure_fluctuation(config, tmp_path)
    assert found["outcome"] == "finished"
    for name in "oh", "ie", "ds":
        assert 0 <= found[f"{name}_probe"] and found[f"{name}_floor"] > 0 and found[f"{name}_batches"] > 0
    assert found["ds_gain"] == 1 and found["oh_gain"] != 1
    raw = [step.raw["oh"] for step in prepare(config)[0].synthesise()]
    assert found["curves"]["oh_batches"] == pytest.approx(raw, rel=1e-4)
    assert found["curves"]["oh_probe"][-1] == pytest.approx(found["oh_last"], rel=1e-4)


def test_a_constant_weight_of_mean_gain_one_is_no_damping_at_all(tmp_path):
    change = (("pooled", "false"), ("generator_steps", "6"))
    plain = measure_fluctuation(tiny(change=change, anchor="none").config, tmp_path)
    # without damping every gain is 1, so weighing by the mean gain must change nothing
    undamped = tiny(change=change, anchor="none").config
    constant = measure_constant_weight(undamped, tmp_path)
    assert {k: constant[k] for k in plain if k != "seconds"} == {k: v for k, v in plain.items() if k != "seconds"}
    damped = measure_fluctuation(tiny(change=change).config, tmp_path)
    constant = measure_constant_weight(tiny(change=change).config, tmp_path)
    assert constant["oh_weight"] == pytest.approx(damped["oh_gain"]) and constant["oh_gain"] == 1
    assert constant["ie_weight"] == pytest.approx(damped["ie_gain"])


# ---- the plans -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDIES)
def test_every_planned_run_could_start_and_no_two_are_the_same(name):
    trials = STUDIES[name].trials()
    for trial in trials:
        config = trial.setup.config
        assert config.method not in ("deepinversion", "rdskd+bn") or config.teacher == "lenet5-bn"
    assert len({t.key for t in trials}) == len(trials)


def test_accuracy_shows_every_student_as_many_images():
    settings = {t.config.method: t.setup.settings for t in accuracy.plan(seeds=[0])}
    assert {s.student_steps * s.student_batch_size for s in settings.values()} == {512_000} and len(settings) == 12
    lived = settings["dfad"]  # whose student learns while its generator does: both stages keep their rhythm
    assert lived.generator_steps * lived.student_turn == lived.student_steps


def test_robustness_changes_one_setting_at_a_time_from_each_methods_own_default():
    trials = robustness.plan(seeds=[0])
    assert {t.config.method for t in trials} == set(robustness.FIELD)
    for method in robustness.FIELD:
        mine = {t.setting: t.config for t in trials if t.config.method == method}
        s = METHODS[method].presets["classroom"]
        short = {name: getattr(s, name) // 4 for name in ("generator_steps", "student_steps")}
        assert resolve(mine["default"]).settings == replace(s, **short)
        for setting, config in mine.items():
            own, other = vars(resolve(mine["default"]).settings), vars(resolve(config).settings)
            changed = {name for name in own if own[name] != other[name]} | {name for name, _ in config.weight}
            changed |= {config.teacher} if config.teacher != mine["default"].teacher else set()
            sheet = method in ("zskd", "deepinversion") and setting.startswith("batch")
            assert len(changed - {"generator_steps"} if sheet else changed) == (setting != "default"), setting
        assert ("latent 16" in mine) == ("width 8" in mine) == (method not in ("zskd", "deepinversion"))
        kinds = {t.kind for t in trials if t.config.method == method}
        assert ("weights" in kinds) == (method not in ("zskd", "dfad")) and kinds <= {*robustness.KINDS, ""}
        assert {f"teacher {name}" in mine for name in ("lenet5-bn", "lenet5-half")} == {method != "deepinversion"}


def test_sheets_of_another_size_make_as_many_images_as_before():
    for method in "zskd", "deepinversion":
        mine = [t for t in robustness.plan(seeds=[0]) if t.config.method == method]
        images = {}
        for t in (t for t in mine if t.setting == "default" or t.setting.startswith("batch")):
            s = t.setup.settings
            assert s.generator_steps % s.sheet_steps == 0
            images[t.setting] = s.generator_steps // s.sheet_steps * s.batch_size
        assert len(images) == 4 and max(images.values()) <= 1.25 * min(images.values()), images


def test_defaults_alone_are_done_with_more_seeds_to_know_their_luck():
    by = Counter((t.config.method, t.setting == "default") for t in robustness.plan())
    assert all(by[method, True] == 10 for method in robustness.FIELD)
    assert len({t.config.seed for t in robustness.plan() if t.setting != "default"}) == 3


# ---- verdicts --------------------------------------------------------------------------------------------------------


def test_an_interval_is_students():
    mean, low, high, n = verdict.interval([1.0, 2.0, 6.0])
    half = 4.302652729911275 * math.sqrt(7.0) / math.sqrt(3)  # the 97.5 % quantile of t with 2 degrees of freedom
    assert (mean, n) == (3.0, 3) and low == pytest.approx(3 - half) and high == pytest.approx(3 + half)
    with pytest.raises(ValueError, match="at least two pairs; there are 1"):
        verdict.interval([1.0])


def test_a_verdict_is_read_from_the_interval_alone():
    for low, high, word in (0.1, 2, "holds"), (-2, -0.1, "does not hold"), (-1, 3, "undecided"):
        assert verdict.Verdict("c", "s", "v", 0.5 * (low + high), low, high, 3).verdict == word


def test_pairs_are_of_the_same_seed_and_only_where_both_are_there():
    a, b = (("a", 0, 5.0), ("a", 1, 7.0), ("a", 2, None)), (("b", 0, 1.0), ("b", 2, 3.0), ("b", 3, 9.0))
    rows = records("method seed x", *a, *b)
    assert verdict.paired(rows, {"method": "a"}, {"method": "b"}, "x") == [4.0]


def probed(levels: dict[str, tuple]) -> list[dict]:
    """Rows of the fluctuation study at its default: what each arm's probe showed, seed by seed."""
    found = [(float(s), arm, "default", x, x) for arm, seeds in levels.items() for s, x in enumerate(seeds)]
    return records("seed arm point oh_probe ie_probe", *found)


def test_damping_is_credited_only_for_what_a_constant_weight_does_not_do_as_well():
    rows = probed({"none": (1.8, 2.0, 2.2), "epoch": (0.9, 1.0, 1.1), "constant": (1.1, 1.0, 0.9)})
    found = {v.claim: v for v in fluctuation.verdicts(rows)}
    plain = found["Damping makes oh fluctuate less than without"]
    assert plain.estimate == pytest.approx(math.log(2)) and plain.verdict == "holds"
    constant = found["Damping makes oh fluctuate less than a constant weight of the same mean gain"]
    assert constant.verdict == "undecided"


def test_a_loss_that_never_rose_counts_as_very_quiet_and_stops_no_scoreboard():
    rows = probed({"none": (1.0,) * 3, "epoch": (0.0,) * 3, "constant": (0.0,) * 3})
    plain, constant, *_ = fluctuation.verdicts(rows)
    assert plain.estimate == pytest.approx(-math.log(fluctuation.SILENT)) and constant.estimate == 0


def test_robustness_counts_stopped_runs_as_guesses_and_collapses_by_classes_or_accuracy():
    found = (("default", 0.9, 10.0), ("lr x 4", 0.85, 7.0), ("lr / 4", 0.7, 10.0), ("T 4.0", None, None))
    rows = [row("rdskd", name, 0.0, a, final_classes=c) for name, a, c in found]
    assert robustness.spread(rows, "rdskd", 0.0) == pytest.approx(
        (sum((x - 63.75) ** 2 for x in (90, 85, 70, 10)) / 3) ** 0.5
    )
    again = [rows[0] | {"seed": 1.0, "student_accuracy": 0.8}, rows[0] | {"seed": 2.0, "student_accuracy": 0.76}]
    (r,) = robustness.summary(rows + again)
    assert (r.method, r.trials, r.collapsed) == ("rdskd", 4, 75) and (r.mean, r.worst) == pytest.approx((63.75, 10.0))
    assert (r.default, r.luck) == pytest.approx((82, (sum((x - 82) ** 2 for x in (90, 80, 76)) / 2) ** 0.5))
    assert r.fallen == pytest.approx(100 / 3)


def test_a_guess_and_a_collapse_are_of_as_many_classes_as_the_data_have():
    found = (0.9, 4.0), (0.9, 3.0), (None, None)
    a, b, stopped = (row("rdskd", "default", 0.0, x, final_classes=c, of_classes=4.0) for x, c in found)
    assert [robustness.collapsed(r) for r in (a, b, stopped)] == [False, True, True]
    assert right(stopped) == 25 and right(stopped | {"of_classes": None}) == 10  # None: of an older table


def test_a_run_that_the_guard_stopped_is_a_guess_and_not_a_pair_the_fewer():
    found = ("rdskd", 0.0, 0.9), ("rdskd", 1.0, 0.8), ("dafl", 0.0, 0.9), ("dafl", 1.0, None)
    rows = [r | {"teacher": "lenet5"} for r in records("method seed student_accuracy", *found)]
    found = {v.claim: v for v in accuracy.verdicts(rows)}
    dafl = found["RDSKD's student is better than that of dafl"]
    assert dafl.n == 2 and dafl.estimate == pytest.approx((0 + 70) / 2)
    assert found["RDSKD's student is better than that of zskd"].verdict == "too few pairs"


def test_accuracy_compares_students_of_the_same_teacher():
    rdskd, others = (
        (("lenet5", 0.9), ("lenet5-bn", 0.5)),
        (("dafl", "lenet5", 0.8), ("deepinversion", "lenet5-bn", 0.6)),
    )
    found = [("rdskd", *row) for row in rdskd] + [*others]
    rows = [r | {"seed": s} for r in records("method teacher student_accuracy", *found) for s in (0.0, 1.0)]
    found = {v.claim.split()[-1]: v for v in accuracy.verdicts(rows)}
    assert found["dafl"].estimate == pytest.approx(10) and found["deepinversion"].estimate == pytest.approx(-10)
    assert "teacher lenet5-bn" in found["deepinversion"].value
    planned = {(t.config.method, t.setup.config.teacher) for t in accuracy.plan()}
    assert all(("rdskd", teacher) in planned for method, teacher in planned if method in robustness.RIVALS)


def settings(seed, **accuracies):
    """What `row` takes of each method and setting."""
    return [(method, setting, seed, right) for method, found in accuracies.items() for setting, right in found.items()]


def row(method, setting, seed, right, **more):
    """A row of the robustness study."""
    first = setting.split()[0].replace("default", "")
    kind = first if first in ("", *robustness.KINDS) else "weights"
    usual = dict(batch_size=64.0, latent=100.0, width=16.0, temperature=10.0, teacher="lenet5", final_classes=10.0)
    return usual | dict(method=method, setting=setting, kind=kind, seed=seed, student_accuracy=right) | more


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_at_the_published_schedule_is_the_same_plan_with_other_settings_and_another_device(name):
    here, there = STUDIES[name].trials(), STUDIES[name].at("paper-mnist", "cuda").trials()
    assert not {t.key for t in here} & {t.key for t in there}
    assert {t.config.device for t in here} == {"cpu"} and {t.config.device for t in there} == {"cuda"}
    assert all(t.setup.settings.width >= 64 for t in there if t.config.method == "rdskd")  # each makes a run
    usual = next(t for t in there if t.setting.endswith("default")).setup.settings
    parts = {"fluctuation": (360, 120_000), "strength": (240, 120_000), "robustness": (600, 30_000)}
    assert (usual.generator_steps, usual.student_steps) == parts.get(name, (2_400, 120_000))
    assert [t.key for t in STUDIES[name].at("classroom", "cpu").trials()] == [t.key for t in here]


def test_a_study_needs_a_preset_that_every_method_of_it_has():
    assert STUDIES["diversity"].at("long", "cpu").trials()[0].setup.settings.student_steps == 40_000
    with pytest.raises(ValueError, match="no preset of dafl 'long'; there are .*paper-mnist"):
        STUDIES["robustness"].at("long", "cpu")


def test_robustness_is_asked_over_all_settings_and_over_those_that_both_have():
    rdskd = {"default": 0.9, "lr x 4": 0.8, "latent 16": 0.1}
    zskd = {"default": 0.9, "lr x 4": 0.7, "ce x 4": 0.9, "teacher lenet5-bn": 0.2}
    rows = [row(*one) for s in (0.0, 1.0) for one in settings(s, rdskd=rdskd, zskd=zskd)]
    rows += [r | {"seed": 7.0, "student_accuracy": 0.3} for r in rows if r["setting"] == "default"]  # luck, no grid
    shared, whole, same = (v for v in robustness.verdicts(rows) if "zskd" in v.claim)
    std = lambda *x: (sum((v - sum(x) / len(x)) ** 2 for v in x) / (len(x) - 1)) ** 0.5  # noqa: E731
    assert same.estimate == pytest.approx(std(90, 70, 90) - std(90, 80, 10)) and same.verdict == "does not hold"
    assert whole.estimate == pytest.approx(std(90, 70, 90, 20) - std(90, 80, 10))
    assert shared.estimate == pytest.approx(std(90, 70) - std(90, 80)) and shared.verdict == "holds"
    assert shared.main and not whole.main and not same.main and shared.n == 2


def test_a_default_is_compared_as_the_value_that_it_is():
    rdskd, zskd = {"default": 0.9, "batch 128": 0.8, "T 4.0": 0.7}, {"default": 0.6, "batch 64": 0.5}
    rows = [row(*one) for one in settings(0.0, rdskd=rdskd, zskd=zskd)]
    for r, batch in zip(rows, (64, 128, 64, 200, 64), strict=True):
        r["batch_size"] = float(batch)
    named = {(r["method"], r["setting"]): r["student_accuracy"] for r in robustness.by_value(rows)}
    assert named["rdskd", "batch 64"] == 0.9 and named["zskd", "batch 200"] == 0.6 and named["rdskd", "T 10.0"] == 0.9
    assert ("zskd", "T 10.0") not in named and ("rdskd", "latent 100") not in named  # of which none was changed


def test_the_worst_setting_of_each_kind_is_by_its_mean_over_seeds():
    found = (("lr x 4", 0.1, 0.9), ("lr / 4", 0.4, 0.5), ("ce x 4", None, 0.6))
    rows = [row("zskd", k, s, a) for k, *two in found for s, a in enumerate(two)]
    found = robustness.unluckiest(rows)
    assert found["zskd", "lr"] == ("lr / 4", pytest.approx(45))
    assert found["zskd", "weights"] == ("ce x 4", pytest.approx(35)) and ("zskd", "latent") not in found
    assert {t.kind for t in robustness.plan(seeds=[0])} == {*robustness.KINDS, ""}
