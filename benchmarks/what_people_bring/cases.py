"""The catalogue: every input, how it is run, and what would be right.

`expect` is what would be right: "works", "warns" (goes on to the end, with a warning), "refused" (one sentence, exit
status not 0, before training) or "stopped" (by Ctrl-C), or several of them with " or " between.  `words` are regular
expressions that a refusal or a warning has to match, whatever the sentence will be.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

INPUTS = Path(__file__).parent / "inputs"
sys.path.insert(0, str(INPUTS))

import in_python  # noqa: E402
import pictures  # noqa: E402
import students  # noqa: E402
import teachers  # noqa: E402
import weight_files  # noqa: E402

TINY = "--set generator_steps=4 --set batch_size=16 --set student_steps=4 --set student_batch_size=16 --set width=4"
FITTING = {  # to the order of turns, or to the sheets, of a method
    "dafl": " --set student_steps=20",
    "zskd": " --set sheet_steps=4",
    "deepinversion": " --set sheet_steps=4",
}
LONG = "--set generator_steps=3000 --set student_steps=4 --set width=4"
MANY = "rdskd-lab distill --out run --set generator_steps=3000"
RESUME = "rdskd-lab distill --out run --resume"
LONGER = "--set generator_steps=200 --set student_steps=400"  # long enough for a student that reads nine of ten digits


@dataclass(frozen=True)
class Case:
    id: str
    kind: str
    what: str
    run: str  # a shell command; one that begins with rdskd-lab and has no other shell words is run without a shell
    expect: str
    words: tuple[str, ...] = ()  # of a refusal or a warning, and where the ID is in SAYS, of what works
    prepare: str = ""  # MODULE.FUNCTION of inputs/, several with spaces, called in the folder before
    files: tuple[tuple[str, str], ...] = ()  # name and text
    needs: str = ""  # a library; without it the input is left out
    handed: str = ""  # the number of the handed input of this kind
    measured: bool = False  # the student's accuracy is compared with that of the untouched teacher
    limit: int = 60  # seconds
    late: bool = False  # nobody can know before the run has come that far


def shape(channels=1, size=32, classes=10, mean="0.1307", std="0.3081"):
    mean, std = (",".join([number] * channels) if number else "" for number in (mean, std))
    return f"--channels {channels} --size {size} --classes {classes} --mean {mean} --std {std}"


def distil(teacher, student="students:plain", *more, steps=TINY, data="--data pictures", **how):
    words = [
        "rdskd-lab distill --out run",
        f"--teacher {teacher} --student {student}",
        shape(**how),
        data,
        steps,
        *more,
    ]
    return " ".join(word for word in words if word)


def teacher(
    name,
    expect,
    *words,
    kind="what a teacher answers",
    student="students:plain",
    more="",
    made="ten",
    measured=False,
    needs="",
    handed="",
    limit=60,
    **how,
):
    """A case for teachers.NAME; where it is measured, the student is LeNet-5-Half and the steps are enough."""
    function = getattr(teachers, name)
    steps, student, data = (LONGER, "lenet5-half", "--data digits") if measured else (TINY, student, "--data pictures")
    method = more.partition("--method ")[2].split()
    more += "".join(FITTING.get(name, "") for name in method)
    return Case(
        f"teacher-{name.replace('_', '-')}{'-' + method[0] if method else ''}",
        kind,
        (function.__doc__ or name).strip(),
        distil(f"teachers:{name}", student, more, steps=steps, data=data, **how),
        expect,
        words,
        f"pictures.{made}",
        needs=needs,
        handed=handed,
        measured=measured,
        limit=limit,
    )


def student(name, expect, *words, more="", handed=""):
    what = getattr(students, name).__doc__
    return Case(
        f"student-{name.replace('_', '-')}",
        "students",
        what,
        distil("teachers:trained", f"students:{name}", more),
        expect,
        words,
        "pictures.ten",
        handed=handed,
    )


def weights(name, file, expect, *words, network="lenet5", student="students:plain", needs="", handed="", **how):
    what = getattr(weight_files, name).__doc__
    given = shape(**how) if ":" in network else "--data pictures --size 32 --mean 0.1307 --std 0.3081"
    run = f"rdskd-lab distill --out run --teacher {network} --weights {file} --student {student} {given} {TINY}"
    run += "" if "--data" in given else " --data pictures"
    return Case(
        f"weights-{name.replace('_', '-')}",
        "weight files",
        what,
        run,
        expect,
        words,
        f"pictures.ten weight_files.{name}",
        needs=needs,
        handed=handed,
    )


def data(name, expect, *words, folder="pictures", classes=10, network="trained", **how):
    what = getattr(pictures, name).__doc__
    run = distil(f"teachers:{network}", "students:plain", data=f"--data {folder}", classes=classes)
    return Case(f"data-{name.replace('_', '-')}", "data", what, run, expect, words, f"pictures.{name}", **how)


def python(name, expect, *words, **how):
    return Case(
        f"python-{name.replace('_', '-')}",
        "Python",
        getattr(in_python, name).__doc__,
        f"python in_python.py {name}",
        expect,
        words,
        **how,
    )


def begun(command, then="kill -INT $p; wait $p", file="run/config.json"):
    """Start a command, and do something as soon as its run has begun (or it has ended)."""
    return f"{command} & p=$!; until [ -f {file} ] || ! kill -0 $p; do sleep 0.3; done; {then}"


def line(id, what, run, expect, *words, **how):
    how = {"kind": "command line", "prepare": "pictures.ten"} | how
    return Case(id, what=what, run=run, expect=expect, words=words, **how)


TWO = dict(made="two", classes=2, student="teachers:two_classes")
ANSWERS = [
    teacher("trained", "works", measured=True),
    teacher("tuple_logits_first", "works", handed="09"),
    teacher("tuple_features_first", "refused", "84"),
    teacher("list_of_logits", "works"),
    teacher("dict_logits", "works"),
    teacher("dict_out", "refused", r"\bout\b"),
    teacher("object_logits", "works"),
    teacher("mapping_logits", "works"),
    teacher("named_tuple", "works"),
    teacher("one_sequence", "refused", r"\(2, 1, 10\)"),
    teacher("unflattened", "refused", r"\(2, 10, 1, 1\)"),
    teacher("map_of_classes", "refused", r"\(2, 10, 30, 30\)"),
    teacher("one_logit", "works", "two classes", **TWO),
    teacher("one_logit_squeezed", "works or refused", "two classes|one logit", **TWO),
    teacher("one_sigmoid", "works or warns", "two classes", **TWO),
    teacher("softmax", "works or warns", "softmax|probabilit|logarithm", measured=True, handed="02"),
    teacher("softmax_underflow", "warns", "underflow|exactly 0|probabilit", measured=True),
    teacher("sigmoid_each", "warns", "sigmoid|probabilit", measured=True, handed="02"),
    teacher("log_softmax", "works", measured=True),
    teacher("percent", "warns", "100|percent|probabilit", measured=True),
    teacher("cosine", "works or warns", measured=True),
    teacher("distances", "warns", "chance"),
    teacher("saturated", "works or warns", measured=True),
    teacher("constant", "refused", "same|constant|does not depend"),
    teacher("not_a_number", "refused", "teacher", "finite|NaN"),
    teacher("masked", "refused", "teacher", "finite|inf"),
    teacher("class_numbers", "refused", "int|class numbers"),
    teacher("hard_one_hot", "refused", "gradient"),
    teacher("class_names", "refused", "list|str"),
    teacher("numpy_array", "refused", "numpy|ndarray"),
    teacher("nothing", "refused", "None|nothing"),
    teacher("never_fine_tuned", "refused", "1,?000"),
    teacher("more_rows", "refused", "4"),
    teacher("mean_row", "refused", r"\(1, 10\)"),
    teacher("integers", "refused", "int"),
]

GRADIENT = [
    teacher("no_grad", "refused", "gradient", measured=True, handed="01"),
    teacher("inference_mode", "refused", "gradient|inference"),
    teacher("detach", "refused", "gradient"),
    teacher("data_of_input", "refused", "gradient"),
    teacher("through_numpy", "refused", "gradient"),
    teacher("rounds", "refused", "gradient"),
    teacher("no_backward", "refused", "gradient|backward"),
    teacher("checkpointed", "works"),
    teacher("grad_switched_off", "works or refused", "gradient|set_grad_enabled"),
    teacher("half_of_image", "works"),
]
GRADIENT = [Case(**{**vars(case), "kind": "gradient"}) for case in GRADIENT]

PIXELS = "pixels that it expects"
FORWARD = [
    teacher("in_place", "works or refused", kind=PIXELS, measured=True),
    teacher(
        "normalises_inside",
        "warns or refused",
        "normalis|0 and",
        kind=PIXELS,
        measured=True,
        handed="03",
        mean="0",
        std="1",
    ),
    teacher("undone", "works", kind=PIXELS, measured=True),
    teacher(
        "bytes_inside", "warns or refused", "255|normalis|saturat|range", kind=PIXELS, measured=True, mean="0", std="1"
    ),
    teacher("standardises", "works", kind=PIXELS, measured=True),
    teacher("clamps", "works", kind=PIXELS, measured=True),
    teacher("channels_last", "refused", "images of 1 x 32 x 32", kind=PIXELS),
    teacher("list_of_images", "refused", "teachers.py", "list", kind=PIXELS, handed="09"),
    teacher("wants_bytes", "refused", "uint8", kind=PIXELS),
    teacher("asserts_range", "refused", "teachers.py", r"\[0, 1\]", kind=PIXELS, handed="09"),
    teacher("asserts_size", "refused", "teachers.py", "64", kind=PIXELS, handed="09"),
    teacher("key_error", "refused", "teachers.py", "32", kind=PIXELS),
    teacher("not_implemented", "refused", "forward", kind=PIXELS),
    teacher("two_arguments", "refused", "mask", kind=PIXELS),
    teacher("keyword_only", "refused", "positional|pixel_values", kind=PIXELS),
    teacher("fails_later", "refused", "teachers.py", kind=PIXELS),
    teacher("fixed_batch", "refused", "batch|view", kind=PIXELS),
]

STATE = [
    teacher(name, expect, *words, kind="state and number format", **how)
    for name, expect, words, how in [
        ("dropout_training", "works", (), {}),
        ("always_training", "warns or refused", ("train",), {}),
        ("counts_calls", "works", (), {}),
        ("random_forward", "works or warns", (), {}),
        ("prints", "works", (), {}),
        ("warns", "works", (), {}),
        ("half", "works or refused", (r"half precision|float16|\.float\(",), {}),
        ("bfloat16", "works or refused", (r" bfloat16|\.float\(",), {}),
        ("double", "works or refused", (r"double precision|float64|\.float\(",), {}),
        ("half_answer", "works", (), {}),
        ("default_double", "works or refused", (r"double precision|float64|\.float\(",), {}),
        ("meta", "refused", ("meta",), {}),
        ("lazy", "works or refused", ("teacher", "Lazy"), {}),
        ("other_device", "refused", ("teachers.py", "NVIDIA|CUDA"), {}),
        ("no_parameters", "works", (), {}),
        ("all_frozen", "works", (), {}),
    ]
]

WRAPPED = [
    teacher(name, expect, *words, kind="compiled, scripted, wrapped", **how)
    for name, expect, words, how in [
        ("compiled", "works", (), {}),
        ("scripted", "works", (), {}),
        ("scripted", "refused", ("hooks|TorchScript|torch.jit",), {"more": "--method dafl", "handed": "11"}),
        ("scripted_norm", "refused", ("hooks|TorchScript|torch.jit",), {"more": "--method rdskd+bn", "handed": "11"}),
        ("traced", "works", (), {}),
        ("fx", "works", (), {}),
        ("data_parallel", "works", (), {}),
        ("exported", "refused", ("batch|export|teachers",), {}),
        ("quantised", "refused", ("gradient|quanti",), {}),
        ("weight_norm", "works", (), {}),
        ("pruned", "works", (), {}),
    ]
]

NORMS = "normalisation layers"
LAYERS = [
    teacher("batch_norm", "works", kind=NORMS, more="--method rdskd+bn"),
    teacher("batch_norm_without_statistics", "works", kind=NORMS),
    teacher(
        "batch_norm_without_statistics", "refused", "statistics", kind=NORMS, more="--method rdskd+bn", handed="10"
    ),
    teacher(
        "batch_norm_without_statistics", "refused", "statistics", kind=NORMS, more="--method deepinversion", handed="10"
    ),
    teacher("batch_norm_1d", "works or refused", "BatchNorm2d", kind=NORMS, more="--method rdskd+bn"),
    teacher("sync_batch_norm", "works", kind=NORMS, more="--method rdskd+bn"),
    teacher("frozen_batch_norm", "works or refused", "BatchNorm2d", kind=NORMS, more="--method rdskd+bn"),
    teacher("group_norm", "works", kind=NORMS),
    teacher("instance_norm", "works", kind=NORMS),
    teacher("layer_norm", "works", kind=NORMS),
    *(
        teacher(name, expect, *words, kind="heads", more=f"--method {method}", handed="11")
        for name, expect, words in [
            ("head_first", "works", ()),
            ("aux_last", "works", ()),
            ("aux_run_last", "works", ()),
            ("shared_head", "works", ()),
            ("conv_head", "works or refused", ("--head",)),
            ("head_of_tokens", "works or refused", ("--head",)),
            ("matrix_head", "works or refused", ("--head",)),
        ]
        for method in (("dafl", "zskd") if name != "aux_run_last" else ("dafl",))
    ),
]

SIZES = [
    teacher(name, expect, *words, kind="sizes, channels, classes", student=f"teachers:{name}", **how)
    for name, expect, words, how in [
        ("grey_28", "works", (), {"size": 28}),
        ("grey_30", "works", (), {"size": 30}),
        ("grey_33", "works", (), {"size": 33}),
        ("grey_8", "works", (), {"size": 8}),
        ("grey_6", "refused", ("6", "8"), {"size": 6}),
        ("colour", "works", (), {"channels": 3}),
        ("colour_224", "works", (), {"channels": 3, "size": 224}),
        ("two_channels", "refused", ("1 or 3",), {"channels": 2}),
        ("four_channels", "refused", ("1 or 3",), {"channels": 4}),
        ("rectangular", "refused", ("square",), {}),
        ("two_classes", "works", (), {"classes": 2, "made": "two"}),
        ("three_classes", "works", (), {"classes": 3, "made": "three"}),
        ("hundred_classes", "works", (), {"classes": 100, "made": "hundred", "handed": "25"}),
        ("thousand_classes", "works or warns", (), {"classes": 1000, "made": "thousand", "handed": "25"}),
    ]
]

FACTORY = "factories"
FACTORIES = [
    teacher(name, expect, *words, kind=FACTORY, **how)
    for name, expect, words, how in [
        ("with_arguments", "refused", ("without arguments",), {}),
        ("returns_class", "refused", (r"\ba class",), {}),
        ("returns_state_dict", "refused", ("state dict|--weights",), {}),
        ("returns_none", "refused", ("forgot|nothing|returned None|without return",), {}),
        ("returns_pair", "refused", ("tuple",), {}),
        ("runtime_error", "refused", ("teachers.py", "config.yaml"), {"handed": "09"}),
        ("wrong_key", "refused", ("teachers.py", "state_dict"), {"handed": "09"}),
        ("file_not_found", "refused", ("teachers.py", "best.pth"), {}),
        ("no_network", "refused", ("teachers.py", "name resolution"), {}),
        ("quits", "refused", ("teachers",), {}),
        ("moves", "works or refused", ("director|chdir",), {}),
        ("Module", "works", (), {}),
        ("INSTANCE", "works", (), {}),
        ("random_weights", "works", (), {}),
    ]
] + [
    line(
        "factory-misspelt",
        "The factory's name is misspelt.",
        distil("teachers:trainde"),
        "refused",
        "trained",
        kind=FACTORY,
    ),
    line(
        "factory-an-instance",
        "NAME is a network, not a factory.",
        distil("net:net"),
        "works or refused",
        "not a factory|is a network",
        kind=FACTORY,
        files=(("net.py", "import teachers\nnet = teachers.trained()\n"),),
    ),
    line(
        "factory-a-dot",
        "A dot in the place of the colon: package.module.factory.",
        distil("teachers.trained"),
        "refused",
        "package.module:factory|colon",
        kind=FACTORY,
    ),
    line(
        "factory-a-file",
        "The path of the Python file.",
        distil("teachers.py"),
        "refused",
        "module:factory",
        kind=FACTORY,
    ),
    line(
        "factory-a-path",
        "The path of the Python file, a colon and the factory.",
        distil("models/net.py:make"),
        "refused",
        "models.net:make|package.module:factory",
        kind=FACTORY,
        files=(("models/net.py", "from teachers import trained as make\n"),),
    ),
    line(
        "factory-brackets",
        "Brackets after the factory: net:make().",
        distil("'teachers:trained()'"),
        "refused",
        r"teachers:trained\b(?!\()",
        kind=FACTORY,
    ),
    line(
        "factory-in-package",
        "A module in a folder that imports its neighbour by a relative import.",
        distil("models.net:make"),
        "works",
        kind=FACTORY,
        files=(
            ("models/net.py", "from .layers import make\n"),
            ("models/layers.py", "from teachers import trained as make\n"),
        ),
    ),
    line(
        "factory-beside-module",
        "A module in a folder that imports its neighbour as if the folder were the working one.",
        distil("models.net:make"),
        "refused",
        "layers",
        kind=FACTORY,
        files=(
            ("models/net.py", "from layers import make\n"),
            ("models/layers.py", "from teachers import trained as make\n"),
        ),
    ),
    line(
        "factory-other-folder",
        "A module in another folder than the working one.",
        distil("net:make"),
        "refused",
        "net",
        "working directory|folder|PYTHONPATH",
        kind=FACTORY,
        files=(("elsewhere/net.py", "from teachers import trained as make\n"),),
    ),
    line(
        "factory-missing-import",
        "The module imports a package that is not installed.",
        distil("net:make"),
        "refused",
        "einops_is_not_here",
        kind=FACTORY,
        files=(("net.py", "import einops_is_not_here\ndef make(): ...\n"),),
    ),
    line(
        "factory-syntax-error",
        "The module has a syntax error.",
        distil("net:make"),
        "refused",
        "net.py",
        kind=FACTORY,
        files=(("net.py", "def make(:\n    pass\n"),),
    ),
    line(
        "factory-name-error",
        "The module raises NameError on import.",
        distil("net:make"),
        "refused",
        "net.py",
        kind=FACTORY,
        files=(("net.py", "from torch import nn\nclass Net(nn.Module): pass\nmake = Ne\n"),),
    ),
    line(
        "factory-attribute-error",
        "The module raises AttributeError on import.",
        distil("net:make"),
        "refused",
        "net.py",
        kind=FACTORY,
        files=(("net.py", "from torch import nn\nclass Net(nn.Modul): pass\nmake = Net\n"),),
    ),
    line(
        "factory-quits-on-import",
        "The module calls sys.exit on import.",
        distil("net:make"),
        "refused",
        "net.py|net:make",
        kind=FACTORY,
        files=(("net.py", "import sys\nsys.exit(0)\n"),),
    ),
    line(
        "factory-reads-arguments",
        "The module reads its own arguments on import (argparse without a main guard).",
        distil("net:make"),
        "refused",
        "exit|import",
        kind=FACTORY,
        files=(
            (
                "net.py",
                "import argparse\nimport teachers\np = argparse.ArgumentParser()\np.add_argument('--lr')\n"
                "args = p.parse_args()\nmake = teachers.trained\n",
            ),
        ),
    ),
    line(
        "factory-trains-on-import",
        "The module trains on import (no main guard) and fails there.",
        distil("net:make"),
        "refused",
        "net.py",
        kind=FACTORY,
        files=(
            (
                "net.py",
                "import torch\nfrom teachers import trained as make\nopt = torch.optim.SGD(make().parameters(), 0.1)\n"
                "raise RuntimeError('Dataset not found. You can use download=True')\n",
            ),
        ),
    ),
    line(
        "factory-stdlib-name",
        "The module is called as one of Python's own (profile.py).",
        distil("profile:make"),
        "refused",
        "profile",
        "Python's own|another|rename|lib",
        kind=FACTORY,
        files=(("profile.py", "from teachers import trained as make\n"),),
    ),
    line(
        "factory-torch-name",
        "The module is called torch.py.",
        distil("torch:make"),
        "refused",
        "torch",
        "rename|another|site",
        kind=FACTORY,
        files=(("torch.py", "def make(): ...\n"),),
    ),
    line(
        "factory-same-for-both",
        "One and the same factory, which returns one object, for teacher and student.",
        distil("teachers:ONCE", "teachers:ONCE"),
        "refused",
        "same",
        kind=FACTORY,
    ),
    line(
        "factory-rectangular-size",
        "--size 32x48.",
        distil("teachers:rectangular").replace("--size 32", "--size 32x48"),
        "refused",
        "integer|square|number",
        kind="sizes, channels, classes",
    ),
]

STUDENTS = [
    student("plain", "works"),
    student("seven_classes", "refused", "7", "10", handed="06"),
    student("hundred_classes", "refused", "100", "10"),
    student("colour", "refused", "student", handed="06"),
    student("other_size", "refused", "student"),
    student("answers_tuple", "works or refused", "student", handed="06"),
    student("answers_object", "works or refused", "student"),
    student("tuple_in_training", "works or refused", "student"),
    student("answers_none", "refused", "student", "None"),
    student("half", "works or refused", "half|float16"),
    student("double", "works or refused", "double|float64"),
    student("frozen", "refused", "student", "gradient|requires_grad|frozen"),
    student("body_frozen", "works"),
    student("detached", "refused", "student", "gradient"),
    student("softmax", "works or warns", "softmax|probabilit"),
    student("no_parameters", "refused", "student", "parameters|weights"),
    student("lazy", "works or refused", "student", "Lazy"),
    student("not_a_number", "refused", "student", "finite|NaN"),
    student("two_names", "works", handed="07"),
    student("tied", "works", handed="07"),
    student("extra_state", "works or warns", handed="07"),
    student("views", "works"),
    student("larger", "warns", "larger"),
    student("batch_norm", "refused", "student", "batch", more="--set student_batch_size=1"),
    student("batch_norm_pooled", "works or refused", more="--set student_batch_size=1"),
    student("scripted", "works"),
    student("compiled", "works"),
    student("data_parallel", "works"),
    student("dropout", "works"),
    student("in_place", "works or refused"),
    student("weight_norm", "works"),
    line(
        "student-unknown",
        "A student's name that there is not.",
        distil("teachers:trained", "resnet50"),
        "refused",
        "resnet50",
        "resnet18",
        kind="students",
    ),
    line(
        "student-lenet-28",
        "LeNet-5 as a student for 28 x 28.",
        distil("teachers:grey_28", "lenet5-half", size=28),
        "refused",
        "28",
        "package.module:factory|32",
        kind="students",
    ),
    line(
        "student-pretrained-file",
        "A weights file as --student.",
        distil("teachers:trained", "net.pt"),
        "refused",
        "net.pt",
        kind="students",
    ),
]

WEIGHTS = [
    weights("safetensors_plain", "net.safetensors", "works"),
    weights("safetensors_half", "net.safetensors", "works"),
    weights("safetensors_bfloat16", "net.safetensors", "works"),
    weights("safetensors_double", "net.safetensors", "works"),
    weights("safetensors_module", "net.safetensors", "works", handed="21"),
    weights("safetensors_model", "net.safetensors", "works", handed="21"),
    weights("safetensors_compiled", "net.safetensors", "works", handed="21"),
    weights("safetensors_student", "net.safetensors", "works"),
    weights("safetensors_two_prefixes", "net.safetensors", "works"),
    weights("safetensors_two_networks", "net.safetensors", "works or refused", "teacher"),
    weights("safetensors_shards", "net.safetensors.index.json", "refused", r"shards?\b|in parts"),
    weights("pt_plain", "net.pt", "works", handed="21"),
    weights("pt_old_format", "net.pth", "works"),
    weights("pt_parameters", "net.pth", "works"),
    weights("pt_state_dict", "net.pth", "works", handed="21"),
    weights("pt_model", "net.pth", "works"),
    weights("pt_model_state_dict", "net.pth", "works"),
    weights("pt_net", "net.pth", "works"),
    weights("pt_teacher", "net.pth", "works or refused", "teacher"),
    weights("pt_ema", "net.pth", "works or warns", "ema"),
    weights("pt_tar", "checkpoint.pth.tar", "works"),
    weights("pt_lightning_layout", "last.ckpt", "works"),
    weights("pt_half", "net.pt", "works"),
    weights("pt_of_gpu", "net.pt", "works"),
    weights("pt_namespace", "net.pth", "refused", "Namespace"),
    weights("pt_numpy_scalar", "net.pth", "works or refused", "numpy"),
    weights("pt_whole_module", "net.pt", "refused", "state_dict", "module|pickle"),
    weights("pt_bomb", "net.pt", "refused", "pickle|code"),
    weights("pt_list", "net.pt", "refused", r"\blist\b|names"),
    weights("pt_optimizer_only", "net.pt", "refused", "optimi|param_groups"),
    weights("torchscript", "net.pt", "refused", "TorchScript"),
    weights("exported_program", "net.pt2", "refused", "torch.export"),
    weights("onnx_file", "net.onnx", "refused", r"(?<!\.)ONNX", needs="onnx"),
    weights("numpy_npz", "net.npz", "refused", r"(?<!\.)(numpy|npz)"),
    weights("keras_h5", "net.h5", "refused", r"(?<!\.)(h5|HDF5|Keras)", needs="h5py"),
    weights("tensorflow_folder", "net", "refused", "folder"),
    weights("empty", "net.safetensors", "refused", "empty|whole"),
    weights("truncated_safetensors", "net.safetensors", "refused", "whole|cut"),
    weights("truncated_pt", "net.pt", "refused", "cut|damaged|incomplete"),
    weights("folder", "net", "refused", "folder"),
    weights("dangling", "net.safetensors", "refused", "link|no weights file"),
    weights("lfs_pointer", "net.safetensors", "refused", "LFS"),
    weights("html_page", "net.pth", "refused", "web page|HTML"),
    weights("zipped", "net.zip", "refused", r"(?<!\.)\bzip|unpack"),
    weights("other_architecture", "net.safetensors", "refused", "missing", "layer1.0.conv1.weight"),
    weights("renamed", "net.safetensors", "refused", "features.0", "conv1"),
    weights("extra_keys", "net.safetensors", "refused", "aux"),
    weights("missing_keys", "net.safetensors", "refused", "fc2"),
    weights("one_shape", "net.safetensors", "refused", "fc2", r"\(7, 84\)"),
    weights("not_a_number", "net.safetensors", "refused", "finite"),
    weights("integers", "net.safetensors", "refused", "int8"),
    weights("without_counts", "net.safetensors", "works", network="lenet5-bn"),
    weights(
        "hugging_face_safetensors",
        "hf/model.safetensors",
        "works or refused",
        "from_pretrained|nearest|renamed",
        network="teachers:hugging_face_vit",
        student="students:colour",
        needs="transformers",
        channels=3,
    ),
    weights(
        "hugging_face_bin",
        "hf/pytorch_model.bin",
        "works",
        network="teachers:hugging_face_vit",
        student="students:colour",
        needs="transformers",
        channels=3,
    ),
    weights(
        "timm_pth",
        "net.pth.tar",
        "works",
        network="teachers:timm_resnet",
        student="students:colour",
        needs="timm",
        channels=3,
    ),
    weights(
        "torchvision_pth",
        "resnet18-f37072fd.pth",
        "works",
        network="teachers:torchvision_resnet",
        student="students:colour",
        channels=3,
    ),
    weights(
        "torchvision_reference",
        "model_89.pth",
        "refused",
        "Namespace",
        network="teachers:torchvision_resnet",
        student="students:colour",
        channels=3,
    ),
    weights("lightning_ckpt", "last.ckpt", "works", needs="lightning"),
    line(
        "weights-bare-file",
        "A .pt as --teacher, without --weights.",
        f"rdskd-lab distill --out run --teacher net.pt --data pictures --size 32 {TINY}",
        "works",
        prepare="pictures.ten weight_files.pt_plain",
        kind="weight files",
    ),
    line(
        "weights-tilde",
        "A path with ~ inside quotes.",
        distil("teachers:trained", "students:plain", "--weights '~/net.pt'"),
        "works or refused",
        "net.pt",
        kind="weight files",
    ),
    line(
        "weights-url",
        "An address as --weights.",
        distil("teachers:trained", "students:plain", "--weights https://host.invalid/resnet18.pth"),
        "refused",
        "download|address",
        kind="weight files",
    ),
    line(
        "weights-none-random",
        "A foreign teacher without --weights, so with random weights.",
        distil("teachers:small"),
        "warns",
        "chance",
        kind="weight files",
        handed="19",
    ),
    line(
        "weights-evaluate-pt",
        "evaluate of a student in a .pt.",
        "rdskd-lab evaluate net.pt --network lenet5 --data digits",
        "works",
        prepare="pictures.ten weight_files.pt_plain",
        kind="weight files",
    ),
    line(
        "weights-train-teacher-pt",
        "train-teacher --out mine.pt.",
        "rdskd-lab train-teacher --out mine.pt --data pictures --epochs 1",
        "warns or refused",
        "safetensors",
        kind="weight files",
    ),
]

SHAPED = "rdskd-lab distill --out run --teacher teachers:colour --student teachers:colour"
DATA = [
    data("ten", "works"),
    data("test_only", "works", handed="19"),
    data("train_only", "works or refused", "test"),
    data("val_instead", "works or refused", "val|test"),
    data("no_split", "works or refused", "test|train"),
    data("flat", "refused", "class folders|CLASS"),
    data("empty_class", "works or warns or refused", "3"),
    data("empty_folder", "refused", "test|train|empty"),
    data("one_class", "refused", "class"),
    data("other_order", "warns", "order|chance"),
    data("named_one_to_ten", "warns or refused", "order|chance"),
    data("more_in_test", "refused", "9"),
    data("unreadable", "refused", r"\.png"),
    data("cut_jpeg", "refused", r"\.jpg"),
    data("mixed", "works"),
    data("palette", "works"),
    data("cmyk", "works"),
    data("sixteen_bit", "works or refused", "16|8 bits"),
    data("upper_case", "works"),
    data("tiff", "works or refused", "tif|png"),
    data("arrays", "refused", "png"),
    data("rectangular", "warns", "square|rectang|squeez|stretch"),
    data("many_sizes", "works or warns"),
    data("named_oddly", "works", folder="'meine Bilder ü'"),
    data("with_rubbish", "works"),
    data("strange_folder_in_split", "works or refused", "__MACOSX"),
    data("zip_file", "refused", "zip|unpack", folder="pictures.zip"),
    data("two", "refused", "2", "10"),
    line(
        "data-none",
        "--data none: nothing real at all.",
        distil("teachers:seven_classes", "teachers:seven_classes", data="--data none", size=28, classes=7),
        "works",
        kind="data",
        handed="19",
    ),
    line(
        "data-left-out",
        "A foreign teacher of 7 classes and no --data.",
        distil("teachers:seven_classes", "teachers:seven_classes", data="", size=28, classes=7),
        "works",
        kind="data",
        handed="19",
    ),
    line(
        "data-left-out-colour",
        "A foreign teacher of 10 classes of coloured things and no --data: it is tested on digits.",
        f"{SHAPED} {shape(3, mean='0.5', std='0.5')} {TINY}",
        "warns or refused",
        "none|no real|chance",
        kind="data",
        handed="19",
    ),
    line(
        "data-mnist-wrong-place",
        "RDSKD_DATA holds MNIST's files but not in MNIST/raw; there is no network.",
        f"HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 RDSKD_DATA=pictures HOME=. "
        f"rdskd-lab distill --out run --data mnist {TINY}",
        "refused",
        "MNIST/raw",
        "RDSKD_DATA",
        kind="data",
        prepare="pictures.mnist_elsewhere",
    ),
    line(
        "data-misspelt",
        "--data cifar-10.",
        distil("teachers:colour", "students:colour", data="--data cifar-10", channels=3),
        "refused",
        "cifar10",
        kind="data",
    ),
    line(
        "data-cifar100",
        "--data cifar100, which is not known.",
        distil("teachers:colour", "students:colour", data="--data cifar100", channels=3),
        "refused",
        "folder",
        kind="data",
    ),
]

GOOD = "rdskd-lab distill --out run --data pictures --size 32 --mean 0.1307 --std 0.3081 --student students:plain"
LINE = [
    line("version", "--version.", "rdskd-lab --version", "works", r"0\.1\.0"),
    line("no-words", "Nothing but the command's name.", "rdskd-lab", "works", "study"),
    line("no-out", "distill without --out.", "rdskd-lab distill", "refused", "--out"),
    line("seed-fraction", "--seed 1.5.", f"{GOOD} {TINY} --seed 1.5", "refused", "seed"),
    line("seed-negative", "--seed -1.", f"{GOOD} {TINY} --seed -1", "refused", "seed"),
    line(
        "seeds-fraction",
        "compare --seeds 1.5.",
        "rdskd-lab compare --out c --methods noise --seeds 1.5 --budget 1s",
        "refused",
        "1.5",
        handed="14",
    ),
    line(
        "seeds-infinite",
        "compare --seeds 1e400.",
        "rdskd-lab compare --out c --methods noise --seeds 1e400 --budget 1s",
        "refused",
        "1e400|seed",
        handed="14",
    ),
    line(
        "seeds-negative",
        "compare --seeds -1.",
        "rdskd-lab compare --out c --methods noise --seeds=-1 --budget 1s",
        "refused",
        "-1",
    ),
    line(
        "seeds-word", "compare --seeds all.", "rdskd-lab compare --out c --methods noise --seeds all", "refused", "all"
    ),
    line(
        "seeds-empty", "compare --seeds ''.", "rdskd-lab compare --out c --methods noise --seeds ''", "refused", "seed"
    ),
    line(
        "seeds-twice",
        "compare --seeds 0,0.",
        "rdskd-lab compare --out c --methods noise --seeds 0,0 --budget 0.2s",
        "refused or warns",
        "twice|0",
    ),
    line(
        "methods-comma",
        "compare --methods rdskd, (a comma too many).",
        "rdskd-lab compare --out c --methods rdskd, --seeds 0 --budget 1s",
        "refused or works",
        "method",
    ),
    line(
        "budget-bare",
        "compare --budget 60.",
        "rdskd-lab compare --out c --methods noise --seeds 0 --budget 60",
        "refused",
        "60s",
    ),
    line("preset-unknown", "--preset cifar10.", f"{GOOD} {TINY} --preset cifar10", "refused", "paper-cifar10"),
    line(
        "preset-of-other-method",
        "A preset that the method has not.",
        f"{GOOD} --method zskd --preset small-cifar10x",
        "refused",
        "preset",
    ),
    line("method-upper-case", "--method RDSKD.", f"{GOOD} {TINY} --method RDSKD", "refused or works", "rdskd"),
    line("set-without-equals", "--set width 32.", f"{GOOD} --set width 32", "refused", "NAME=VALUE"),
    line("set-exponent", "--set generator_steps=1e3.", f"{GOOD} --set generator_steps=1e3", "refused", "whole number"),
    line(
        "set-zero-steps", "--set student_steps=0.", f"{GOOD} {TINY} --set student_steps=0", "refused", "student_steps"
    ),
    line("set-odd-batch", "--set batch_size=15.", f"{GOOD} {TINY} --set batch_size=15", "refused", "even"),
    line(
        "all-off",
        "--off oh --off ie --off ds: nothing is asked of the generator.",
        f"{GOOD} {TINY} --off oh --off ie --off ds",
        "refused or warns",
        "off|nothing|term",
    ),
    line("weight-negative", "--weight oh=-1.", f"{GOOD} {TINY} --weight oh=-1", "refused or warns", "-1"),
    line(
        "mean-of-bytes",
        "--mean 125.3,123.0,113.9: of pixels from 0 to 255.",
        f"{SHAPED} --data pictures --channels 3 --size 32 --classes 10 --mean 125.3,123.0,113.9 "
        f"--std 63,62.1,66.7 {TINY}",
        "warns or refused",
        "255|0, 1",
    ),
    line("std-zero", "--std 0.", distil("teachers:trained", std="0"), "refused", "std"),
    line(
        "std-negative",
        "--std -0.5.",
        distil("teachers:trained").replace("--std 0.3081", "--std=-0.5"),
        "refused",
        "std",
    ),
    line("mean-not-finite", "--mean nan.", distil("teachers:trained", mean="nan"), "refused", "mean|finite"),
    line(
        "mean-of-three",
        "Three means for one channel.",
        distil("teachers:trained").replace("--mean 0.1307", "--mean 0.1,0.1,0.1"),
        "refused",
        "1 number|one",
    ),
    line(
        "one-mean-for-three",
        "One mean for three channels.",
        f"{SHAPED} --data pictures --channels 3 --size 32 --classes 10 --mean 0.5 --std 0.5 {TINY}",
        "refused or works",
        "3 number|three",
    ),
    line(
        "shape-left-out",
        "A foreign teacher without --channels, --size, --mean.",
        f"rdskd-lab distill --out run --teacher teachers:trained --student students:plain {TINY}",
        "refused",
        "--channels",
    ),
    line("device-absent", "--device cuda where there is none.", f"{GOOD} {TINY} --device cuda", "refused", "cuda"),
    line("device-gpu", "--device gpu.", f"{GOOD} {TINY} --device gpu", "refused", "cuda"),
    line(
        "out-with-space",
        "--out with a space.",
        f"{GOOD.replace('--out run', '--out ' + repr('my runs/a'))} {TINY}",
        "works",
    ),
    line(
        "out-read-only",
        "--out where nothing can be written.",
        f"{GOOD.replace('--out run', '--out /proc/run')} {TINY}",
        "refused",
        "/proc/run",
    ),
    line(
        "out-not-empty",
        "--out is a folder with a file of mine.",
        f"mkdir run; touch run/thesis.txt; {GOOD} {TINY}",
        "refused",
        "not empty",
    ),
    line(
        "out-tilde",
        "--out '~/run' in quotes.",
        f"{GOOD.replace('--out run', '--out ' + repr('~/run'))} {TINY}",
        "works or refused",
    ),
    line(
        "resume-other-teacher",
        "--resume where the factory's weights have changed.",
        begun(distil("teachers:changing", steps=LONG), "kill -INT $p; wait $p; BEST=1 timeout -s INT 40 " + RESUME),
        "refused",
        "teacher",
        handed="04",
        limit=120,
    ),
    line(
        "resume-factory-gone",
        "--resume where the module of the teacher is gone.",
        begun(distil("net:make", steps=LONG), f"kill -INT $p; wait $p; rm net.py; {RESUME}"),
        "refused",
        "net",
        files=(("net.py", "from teachers import trained as make\n"),),
    ),
    line(
        "resume-same-words",
        "The same command with --resume added.",
        begun(MANY, f"kill -INT $p; wait $p; timeout -s INT 40 {MANY} --resume"),
        "works or stopped",
        handed="18",
        limit=120,
    ),
    line(
        "resume-hint-pasted",
        "What a stopped run in a folder with a space says, pasted.",
        begun(
            MANY.replace("--out run", "--out 'my runs/a'") + " 2> said",
            "kill -INT $p; wait $p; eval \"timeout -s INT 40 $(sed -n 's/.*: rdskd-lab/rdskd-lab/p' said)\"",
            "'my runs/a/config.json'",
        ),
        "works or stopped",
        handed="18",
        limit=120,
    ),
    line(
        "resume-finished",
        "--resume of a finished run.",
        f"{GOOD} {TINY} >/dev/null 2>&1; rdskd-lab distill --out run --resume",
        "works",
    ),
    line(
        "resume-other-seed",
        "--resume with another --seed.",
        f"{GOOD} {TINY} >/dev/null 2>&1; rdskd-lab distill --out run --resume --seed 3",
        "refused",
        "--seed",
    ),
    line(
        "from-run",
        "--from RUN: other student settings for a finished generator.",
        f"{GOOD} {TINY} >/dev/null 2>&1; rdskd-lab distill --out b --from run --set student_steps=8",
        "works",
    ),
    line(
        "pool-memory",
        "224 x 224 with the preset's own steps: the pool takes 15.4 GB.",
        begun(distil("teachers:colour_224", "teachers:colour_224", steps="", channels=3, size=224)),
        "refused or warns or stopped",
        "GB",
        handed="08",
    ),
    line(
        "paper-memory",
        "--preset paper-mnist with --set pooled=true: the pool takes more than there is.",
        begun(f"{GOOD} --preset paper-mnist --set pooled=true --set generator_steps=5000"),
        "refused or warns",
        "GB|memory",
    ),
    line(
        "pipe-closed",
        "Output into a pipe that closes (head -1).",
        f"{GOOD} {TINY} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}",
        "works or refused",
        "pipe|output|generator",
    ),
    line("stdout-closed", "Standard output is closed (>&-).", f"{GOOD} {TINY} >&-", "works or refused"),
    line(
        "stdout-full",
        "Standard output goes to a full disk (/dev/full).",
        f"{GOOD} {TINY} >/dev/full",
        "works or refused",
        "output",
        late=True,
    ),
    line(
        "locale-c",
        "LC_ALL=C and umlauts in --out.",
        f"LC_ALL=C LANG=C {GOOD.replace('--out run', '--out läufe')} {TINY}",
        "works",
    ),
    line(
        "encoding-cp1252",
        "Output in cp1252 (Windows), a Polish folder's name.",
        f"PYTHONIOENCODING=cp1252 {GOOD.replace('--out run', '--out łódź')} {TINY}",
        "works",
        handed="15",
    ),
    line(
        "encoding-ascii",
        "PYTHONIOENCODING=ascii, a Greek folder's name.",
        f"PYTHONIOENCODING=ascii {GOOD.replace('--out run', '--out δοκιμή')} {TINY}",
        "works",
        handed="15",
    ),
    line(
        "encoding-ascii-compare",
        "compare in ascii with a Greek folder's name, and an error in the run.",
        "PYTHONIOENCODING=ascii LC_ALL=C PYTHONUTF8=0 "
        "rdskd-lab compare --out δοκιμή --methods rdskd --seeds 0 --budget 1s "
        "--student λ:make",
        "refused",
        "λ|\\\\u03bb",
        handed="15",
    ),
    line("ctrl-c", "Ctrl-C in the generator stage.", begun(MANY), "stopped", "--resume"),
    line(
        "hang-up",
        "The terminal is closed (SIGHUP).",
        begun(MANY, "kill -HUP $p; wait $p"),
        "stopped or refused",
        "--resume",
    ),
    line(
        "two-at-once",
        "Two runs into one folder.",
        begun(f"{MANY} 2>/dev/null", "rdskd-lab distill --out run; s=$?; kill -INT $p; wait $p; exit $s"),
        "refused",
        "in use",
    ),
    line("home-missing", "HOME points to nothing.", f"HOME=/nowhere {GOOD} {TINY}", "works"),
    line(
        "tmp-missing",
        "TMPDIR points to nothing, compare.",
        "TMPDIR=/nowhere rdskd-lab compare --out c --methods noise --seeds 0 --budget 0.2s",
        "works",
    ),
    line("optimised-python", "python -O.", f"PYTHONOPTIMIZE=1 {GOOD} {TINY}", "works"),
    line(
        "compare-own-teacher",
        "compare with an own teacher.",
        "rdskd-lab compare --out c --methods rdskd --seeds 0 --budget 1s "
        "--teacher teachers:grey_28 --student teachers:grey_28",
        "refused",
        "--channels",
        handed="17",
    ),
    line(
        "compare-own-teacher-told",
        "compare with an own teacher and its shape.",
        "rdskd-lab compare --out c --methods noise --seeds 0 --budget 0.2s --teacher teachers:grey_28 "
        f"--student teachers:grey_28 {shape(size=28)}",
        "works",
        handed="17",
    ),
    line(
        "evaluate-own-teacher",
        "evaluate of an own student's file beside an own teacher.",
        f"rdskd-lab evaluate net.safetensors --teacher teachers:trained --network lenet5 --data digits {shape()}",
        "works",
        prepare="pictures.ten weight_files.safetensors_plain",
        handed="17",
    ),
    line("evaluate-shipped", "evaluate of a shipped network.", "rdskd-lab evaluate lenet5-half", "works", handed="17"),
    line(
        "evaluate-other-size",
        "evaluate of a run of 28 pixels beside a teacher of 32.",
        f"{distil('teachers:grey_28', 'teachers:grey_28', size=28)} >/dev/null 2>&1; "
        "rdskd-lab evaluate run --teacher lenet5",
        "refused",
        "28",
        "32",
        handed="13",
    ),
    line(
        "evaluate-elsewhere",
        "A run with a relative module, evaluated from another folder.",
        f"{distil('teachers:trained', 'students:plain')} >/dev/null 2>&1; mkdir -p b; cd b; rdskd-lab evaluate ../run",
        "works or refused",
        "teachers|working|folder",
        handed="22",
    ),
    line(
        "evaluate-elsewhere-weights",
        "A run with relative --weights and --data, evaluated from another folder.",
        f"{GOOD} --weights net.safetensors {TINY} >/dev/null 2>&1; mkdir b; cp *.py b; cd b; rdskd-lab evaluate ../run",
        "works",
        prepare="pictures.ten weight_files.safetensors_plain",
        handed="22",
    ),
    line(
        "evaluate-unfinished",
        "evaluate of a run that was stopped.",
        begun(f"{MANY} 2>/dev/null", "kill -INT $p; wait $p; rdskd-lab evaluate run"),
        "refused",
        "--resume",
    ),
    line("report-of-nothing", "report of a folder that is no run.", "rdskd-lab report pictures", "refused", "no run"),
    line(
        "no-matplotlib",
        "compare where matplotlib is not installed.",
        "python without.py matplotlib compare --out c --methods noise --seeds 0 --budget 0.2s",
        "refused",
        "matplotlib",
        "pip install",
        handed="14",
    ),
    line(
        "no-matplotlib-distill",
        "distill where matplotlib is not installed.",
        f"python without.py matplotlib {GOOD.removeprefix('rdskd-lab ')} {TINY}",
        "works or warns",
        "matplotlib",
    ),
    line(
        "no-distributed",
        "study run where distributed is not installed.",
        "python without.py distributed study run fluctuation --out s --minutes 0.01",
        "refused",
        "distributed",
        "pip install",
        handed="14",
    ),
    line(
        "no-torchvision",
        "distill where torchvision is not installed.",
        f"python without.py torchvision {GOOD.removeprefix('rdskd-lab ')} {TINY}",
        "works or refused",
    ),
    line("study-unknown", "study run robustnes.", "rdskd-lab study run robustnes --out s", "refused", "robustness"),
    line(
        "channels-two-named",
        "--channels 2 with a named set.",
        f"rdskd-lab distill --out run --channels 2 {TINY}",
        "refused",
        "1 or 3",
        handed="13",
    ),
    line(
        "disk-limit",
        "No file may be larger than 200 kB (a quota).",
        f"ulimit -f 200; {GOOD} {TINY} --set batch_size=64",
        "refused",
        "full|quota|large",
        late=True,
    ),
]
WITHOUT = """import sys
if __name__ == "__main__":
    sys.modules[sys.argv[1]] = None
    from rdskd_lab.cli import main
    main(sys.argv[2:])
"""
LINE = [Case(**{**vars(case), "files": (*case.files, ("without.py", WITHOUT))}) for case in LINE]

C3 = dict(student="students:colour", channels=3)
LIBRARIES = [
    teacher("torchvision_resnet", "works", kind="libraries", **C3),
    teacher("torchvision_vit", "refused", "224|size", kind="libraries", handed="09", **C3),
    teacher("torchvision_googlenet", "works or refused", kind="libraries", **C3),
    teacher("torchvision_squeezenet", "works", kind="libraries", **C3),
    teacher("torchvision_mobilenet", "works", kind="libraries", **C3),
    teacher("timm_resnet", "works", kind="libraries", needs="timm", **C3),
    teacher("timm_vit", "refused", "224", kind="libraries", needs="timm", handed="09", **C3),
    teacher("timm_features", "refused", "512", kind="libraries", needs="timm", **C3),
    teacher("timm_features_only", "refused", "list|maps|logits", kind="libraries", needs="timm", **C3),
    teacher("hugging_face_vit", "works", kind="libraries", needs="transformers", **C3),
    teacher("hugging_face_resnet", "works", kind="libraries", needs="transformers", **C3),
    teacher("hugging_face_base", "refused", "last_hidden_state|logits", kind="libraries", needs="transformers", **C3),
    teacher("lightning_module", "works", kind="libraries", needs="lightning"),
]

PYTHON = [
    python("untouched", "works"),
    python("no_teacher", "refused", "teacher", "None"),
    python("teacher_by_name", "refused", "lenet5"),
    python("teacher_class", "refused", "class"),
    python("teacher_function", "refused", "Module"),
    python("teacher_state_dict", "refused", "state dict|dict"),
    python("teacher_no_grad", "refused", "gradient", handed="01"),
    python("teacher_softmax", "works or warns", "softmax|probabilit"),
    python("teacher_dict", "works"),
    python("teacher_colour", "refused", "1 x 32 x 32"),
    python("size_30", "works"),
    python("size_pair", "refused", "square|size"),
    python("no_student", "refused", "student", "None"),
    python("student_seven", "refused", "7", "10", handed="06"),
    python("student_tuple", "works or refused", handed="06"),
    python("student_is_teacher", "refused", "same"),
    python("preset_by_name", "refused", "Settings|PRESETS"),
    python("settings_dict", "refused", "Settings"),
    python("objective_list", "refused", "Objective|objective"),
    python("odd_batch", "refused", "even"),
    python("batch_above_pool", "refused", "pool"),
    python("device_absent", "refused", "cuda"),
    python("seed_text", "refused", "seed"),
    python("teacher_kept", "works"),
    python("teacher_always_training", "refused or warns", "train"),
    python("teacher_in_place", "works or refused", "place|changes"),
    python("features_head_first", "works", handed="11"),
    python("features_aux_last", "works", handed="11"),
    python("features_matrix_head", "refused", "head", handed="11"),
    python("features_conv_head", "works or refused", "--head", handed="11"),
    python("features_tokens", "works or refused", "head"),
    python("save_two_names", "works", handed="07"),
    python("load_pt", "works", handed="21"),
    python("evaluate_tuple", "works or refused"),
    python("evaluate_no_parameters", "works"),
    python("lab_untouched", "works"),
    python("lab_seven", "refused", "7", "10"),
    python("lab_by_name", "refused or works", "lenet5"),
    python("lab_tuple", "works"),
    python("lab_no_grad", "refused", "gradient"),
    python("lab_28", "refused", "32"),
    python("colab_elsewhere", "works", handed="24"),
    python("notebook_cell_twice", "works", handed="20", limit=240),
]

ALL = [*ANSWERS, *GRADIENT, *FORWARD, *STATE, *WRAPPED, *LAYERS, *SIZES, *FACTORIES, *LIBRARIES, *STUDENTS, *WEIGHTS]
ALL += [*DATA, *LINE, *PYTHON]
CASES = {case.id: case for case in ALL}
assert len(CASES) == len(ALL), f"two cases have one name: {sorted(case.id for case in ALL)}"

# What works and has to say something all the same.
SAYS = {f"teacher-{name}" for name in ("one-logit", "one-logit-squeezed", "one-sigmoid", "softmax")}
SAYS |= {
    "weights-pt-ema",
    "weights-pt-teacher",
    "weights-safetensors-two-networks",
    "version",
    "no-words",
    "pool-memory",
}
assert SAYS <= set(CASES)
