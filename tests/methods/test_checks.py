"""The check of both networks before the first step, on networks as people bring them (those of the catalogue)."""

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from rdskd_lab.batch import find_head
from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.checks import check_networks
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.answers import Answering, FromPixels
from rdskd_lab.networks.foreign import NetworkNote, NetworkWarning

INPUTS = Path(__file__).parents[2] / "benchmarks/what_people_bring/inputs"
sys.path.append(str(INPUTS))

import students  # noqa: E402
import teachers  # noqa: E402

REFUSED = {  # teacher -> words of the sentence
    **dict.fromkeys(("no_grad", "inference_mode", "detach"), "no gradient reaches the images"),
    **dict.fromkeys(("data_of_input", "through_numpy", "rounds"), "no gradient reaches the images"),
    "hard_one_hot": "whole numbers|no gradient",
    "no_backward": "gradient through the teacher fails",
    "dict_out": "dict with out, aux; it needs the key logits",
    "one_sequence": r"\(2, 1, 10\)",
    "unflattened": r"\(2, 10, 1, 1\)",
    "map_of_classes": r"\(2, 10, 30, 30\)",
    "constant": "same answer to every image",
    "not_a_number": "teacher's answers are not finite.*conv|fc1.weight",
    "masked": "teacher's answers are not finite",
    "class_numbers": r"class numbers \(int64\)",
    "class_names": "list of str",
    "numpy_array": "ndarray",
    "nothing": "NoneType.*without return",
    "more_rows": r"\(4, 10\)",
    "mean_row": r"\(1, 10\)",
    "integers": r"whole numbers \(int32\)",
    "in_place": "changes its images in place",
    "channels_last": "cannot read images of 1 x 32 x 32",
    "list_of_images": r"AssertionError: images is expected to be a list.*teachers.py:\d+",
    "wants_bytes": r"TypeError: .*uint8.*teachers.py:\d+",
    "asserts_range": r"AssertionError: expects pixels in \[0, 1\] \(.*teachers.py:\d+\)",
    "asserts_size": r"64.*teachers.py:\d+",
    "key_error": r"KeyError: 32 \(.*teachers.py:\d+\)",
    "not_implemented": "NotImplementedError: .*forward",
    "two_arguments": "TypeError: .*mask",
    "keyword_only": "TypeError: .*positional",
    "fixed_batch": "3 at a time.*view|shape",
    "always_training": r"buffers change in forward \(norm.running_mean",
    "meta": "device meta",
    "lazy": "Lazy",
    "quantised": "gradient",
}
WARNED = {
    "softmax": "sums to 1.*the logarithm is taken",
    "softmax_underflow": "exactly 0; give the layer before the softmax",
    "sigmoid_each": r"lie in \[0, 1\]",
    "percent": "sums to 100",
    "cosine": "never sure.*cosine",
}
NOTED = {
    "one_logit": r"two classes \(0 and z\)",
    "one_logit_squeezed": r"two classes \(0 and z\)",
    "one_sigmoid": r"two classes \(0 and log-odds",
    "half": "converted to float32",
    "bfloat16": "bfloat16; it is converted to float32",
    "double": "float64; it is converted to float32",
}
TAKEN = (
    "trained tuple_logits_first list_of_logits dict_logits object_logits mapping_logits named_tuple log_softmax "
    "checkpointed half_of_image undone standardises clamps dropout_training counts_calls random_forward half_answer "
    "no_parameters all_frozen compiled scripted traced fx data_parallel weight_norm pruned batch_norm sync_batch_norm "
    "batch_norm_without_statistics group_norm layer_norm shared_head conv_head head_of_tokens matrix_head"
).split()


def build(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(teachers, name)()


def check(teacher, student=None, batch_size=16, size=32):
    return check_networks(teacher, students.plain() if student is None else student, 1, size, "cpu", batch_size)


@pytest.mark.parametrize("name", REFUSED)
def test_a_teacher_that_cannot_work_is_refused_in_a_sentence(name):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=REFUSED[name]):
        warnings.simplefilter("ignore", NetworkWarning)
        check(getattr(teachers, name)())


@pytest.mark.parametrize("name", TAKEN)
def test_a_teacher_that_can_work_answers_with_logits_as_it_did(name):
    images = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    before, teacher, student = build(name).eval(), build(name), students.plain()
    random = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the student is larger", NetworkWarning)  # than the smallest of these
        teacher, _, classes = check(teacher, student)
    assert torch.equal(torch.get_rng_state(), random) and classes == 10
    if name != "random_forward":
        answer = before(images)
        answer = answer.get("logits") if hasattr(answer, "get") else getattr(answer, "logits", answer)
        answer = answer if isinstance(answer, torch.Tensor) else answer[0]
        assert torch.allclose(teacher.eval()(images), answer.float(), atol=1e-5)
    assert next(teacher.parameters()).device.type == "cpu"  # which later steps ask, so there has to be one


@pytest.mark.parametrize("name", WARNED | NOTED)
def test_what_may_be_meant_is_said_and_goes_on(name):
    two = "one" in name
    with pytest.warns(NetworkNote if name in NOTED else NetworkWarning, match=(WARNED | NOTED)[name]):
        teacher, _, classes = check(getattr(teachers, name)(), teachers.small(classes=2) if two else None)
    assert classes == (2 if two else 10)
    answer = teacher.eval()(torch.randn(5, 1, 32, 32))
    assert answer.shape == (5, classes) and answer.dtype == torch.float32 and answer.isfinite().all()


def test_one_logit_a_sigmoid_and_a_softmax_give_the_probabilities_that_were_meant():
    images = torch.randn(50, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    z = teachers.one_logit().eval()(images)[:, 0].double()
    for name in "one_logit", "one_logit_squeezed", "one_sigmoid":
        with pytest.warns(NetworkNote):
            teacher = check(getattr(teachers, name)(), teachers.small(classes=2))[0]
        assert torch.allclose(teacher.eval()(images).double().softmax(1)[:, 1], z.sigmoid(), atol=1e-6)
    with pytest.warns(NetworkWarning, match="logarithm"):
        teacher = check(teachers.softmax())[0]
    assert torch.allclose(teacher(images).softmax(1), teachers.trained().eval()(images).softmax(1), atol=1e-6)


def test_a_network_that_normalises_inside_sees_pixels_again():
    images = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for name, top in ("normalises_inside", 1), ("bytes_inside", 255):
        net = FromPixels(getattr(teachers, name)(), (teachers.MEAN,), (teachers.STD,), top)
        teacher = check(net)[0].eval()
        assert torch.allclose(teacher(images), teachers.trained()(images), atol=1e-4)
        assert teacher.state_dict().keys() == teachers.normalises_inside().state_dict().keys()


def test_a_small_logit_is_no_sigmoid():
    net = nn.Sequential(nn.Flatten(), nn.Linear(1024, 1))
    nn.init.constant_(net[1].bias, 0.5), nn.init.constant_(net[1].weight, 1e-4)
    with pytest.warns(NetworkNote, match=r"\(0 and z\)"):
        check(net, teachers.small(classes=2))


def test_a_checked_network_is_as_it_was():
    net = teachers.counts_calls().train()
    student = students.batch_norm_pooled().eval()
    kept = [{k: v.clone() for k, v in n.state_dict().items()} for n in (net, student)]
    check(net, student)
    for n, before in zip((net, student), kept, strict=True):
        assert all(torch.equal(v, before[k]) for k, v in n.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in n.parameters())
    assert net.training and not student.training


STUDENTS = {
    "seven_classes": "student answers 7 classes, the teacher 10",
    "hundred_classes": "100 classes, the teacher 10",
    "colour": "student cannot read images of 1 x 32 x 32",
    "other_size": "student cannot read images of 1 x 32 x 32",
    "answers_none": "student must answer.*NoneType",
    "frozen": "no weights that train.*requires_grad",
    "detached": "no gradient reaches the student's weights",
    "no_parameters": "no weights that train.*no parameters",
    "lazy": "student's 1.weight is Lazy",
    "not_a_number": "student's answers are not finite",
    "in_place": "student changes its images in place",
}


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_that_cannot_train_is_refused_in_a_sentence(name):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=STUDENTS[name]):
        warnings.simplefilter("ignore", NetworkWarning)
        check(teachers.trained(), getattr(students, name)())


@pytest.mark.parametrize("name", ["answers_tuple", "answers_object", "tuple_in_training"])
def test_a_student_that_answers_more_than_logits_trains_and_keeps_its_own_names(name):
    own = getattr(students, name)()
    student = check(teachers.trained(), own)[1]
    assert isinstance(student, Answering) and student.state_dict().keys() == own.state_dict().keys()
    assert student.train()(torch.randn(3, 1, 32, 32)).shape == (3, 10)
    student.load_state_dict(own.state_dict())


@pytest.mark.parametrize("name", ["plain", "body_frozen", "two_names", "tied", "views", "scripted", "dropout"])
def test_other_students_are_taken_as_they_are(name):
    own = getattr(students, name)()
    assert check(teachers.trained(), own)[1] is own


def test_a_batch_of_one_and_batchnorm():
    with pytest.raises(ValueError, match="batches of 2 or more.*student_batch_size"):
        check(teachers.trained(), students.batch_norm(), batch_size=1)
    check(teachers.trained(), students.batch_norm(), batch_size=2)
    check(teachers.trained(), students.batch_norm_pooled(), batch_size=1)


def test_a_student_may_be_larger_or_keep_extra_state_and_that_is_said():
    with pytest.warns(NetworkWarning, match="larger than its teacher"):
        check(teachers.trained(), students.larger())
    with pytest.warns(NetworkWarning, match="_extra_state is no tensor"):
        check(teachers.trained(), students.extra_state())
    with pytest.warns(NetworkWarning, match="student.*sums to 1"):
        check(teachers.trained(), students.softmax())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"teacher": None}, "teacher must be a network.*None"),
        ({"teacher": "lenet5"}, "teacher must be a network.*'lenet5'"),
        ({"student": nn.Identity}, "student must be a network.*class Identity; call it"),
        ({"student": {}}, "student must be a network.*dict"),
        ({"objective": ["oh"]}, "an Objective.*list"),
        ({"settings": "classroom"}, "Settings.*'classroom'"),
        ({"settings": Settings(batch_size=15)}, "even.*15"),
        ({"settings": Settings(student_schedule="cosin")}, "no student_schedule 'cosin'.*Did you mean 'cosine'"),
        ({"settings": Settings(pooled=True, generator_steps=1, student_batch_size=513)}, "pool's 512, not 513"),
        ({"size": (32, 32)}, r"size.*\(32, 32\)"),
        ({"seed": "0"}, "seed a whole number.*'0'"),
        ({"seed": 2**40}, "seed a whole number below"),
        ({"settings": Settings(reuse=2.0)}, "reuse must be a whole number, not 2.0"),
        ({"settings": Settings(weights=(("entropy", 5.0),))}, "no term of the method 'entropy'"),
        ({"device": "moon"}, "device 'moon' cannot be used here"),
    ],
)
def test_what_is_no_network_table_or_setting_is_refused_in_a_sentence(change, words):
    given = {"teacher": teachers.small(), "student": students.plain(), "settings": Settings()}
    given |= {"objective": METHODS["rdskd"].terms()} | change
    with pytest.raises(ValueError, match=words):
        Distillation(**given)


def test_one_object_for_both_is_refused():
    net = teachers.trained()
    with pytest.raises(ValueError, match="same object"):
        check(net, net)
    with pytest.raises(ValueError, match="share weights"):
        check(net, nn.Sequential(net))


@pytest.mark.parametrize("name", "head_first aux_last aux_run_last shared_head conv_head head_of_tokens".split())
def test_the_head_is_the_layer_that_is_run_last_and_answers_the_classes(name):
    net = getattr(teachers, name)()
    for method in "dafl", "zskd":
        run = distillation(net, METHODS[method])
        assert find_head(run.teacher) is net.head
        assert next(run.synthesise()).batch is not None


def test_a_head_that_is_not_found_is_named_or_the_method_refuses():
    net = teachers.matrix_head()
    for method in "dafl", "zskd":
        with pytest.raises(ValueError, match="--head"):
            distillation(net, METHODS[method])
    run = distillation(net, METHODS["dafl"], head="body")
    assert next(run.synthesise()).raw["act"] < 0
    with pytest.raises(ValueError, match="no layer 'boddy'. Did you mean 'body'"):
        distillation(net, METHODS["dafl"], head="boddy")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scripted_norm", "TorchScript.*original"),
        ("batch_norm_without_statistics", "running statistics"),
        ("batch_norm_1d", "no BatchNorm2d layer"),
    ],
)
def test_a_teacher_without_statistics_is_told_what_it_lacks(name, words):
    with pytest.raises(ValueError, match=words):
        distillation(getattr(teachers, name)(), METHODS["rdskd+bn"])


def test_statistics_of_a_synchronised_norm_count():
    run = distillation(teachers.sync_batch_norm(), METHODS["rdskd+bn"])
    assert next(run.synthesise()).raw["bn"] > 0


def test_a_compiled_teacher_of_either_kind_has_no_layers_for_hooks():
    for name in "scripted", "compiled":
        with pytest.raises(ValueError, match="hooks find no layers"):
            distillation(getattr(teachers, name)(), METHODS["dafl"])


def distillation(teacher, method, **how):
    steps = dict(generator_steps=2, student_steps=10, sheet_steps=1)
    settings = replace(method.presets["classroom"], **steps, batch_size=4, width=4, student_batch_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NetworkWarning)
        return Distillation(teacher, students.plain(), method.terms(), settings, method=method, **how)
