"""What a run refuses, or warns of, before its first step: networks that cannot do what it will ask of them.

Each network is run forward and backward on a few random images.  It is afterwards as it was, but lies on the run's
device and in the format of the run's numbers: it is itself moved and converted, as `nn.Module.to` does.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from numbers import Integral

import torch
from torch import Tensor, nn

from ..batch import find_head, has_statistics
from ..networks.answers import Answering, pick_logits
from ..networks.foreign import NetworkNote, describe_error, warn
from ..objective import Objective
from ..torch_state import frozen, train_mode
from .building_blocks import SCHEDULES
from .method import Settings


def check_arguments(teacher, student, objective, settings, table, size, seed, device) -> None:
    """Refuse what is no network, table or setting at all, and settings that would stop the run half-way."""
    for who, net in ("teacher", teacher), ("student", student):
        if not isinstance(net, nn.Module):
            what = f"the class {net.__name__}; call it" if isinstance(net, type) else type(net).__name__
            what = {"NoneType": "None", "str": repr(net)}.get(what, what)
            raise ValueError(f"the {who} must be a network (a torch.nn.Module), not {what}")
    if not isinstance(objective, Objective):
        kind = type(objective).__name__
        raise ValueError(f"the objective must be an Objective, as rdskd() or another method's terms(), not a {kind}")
    if not isinstance(settings, Settings):
        raise ValueError(f"the settings must be Settings, as PRESETS['classroom'], not {settings!r}")
    if not isinstance(size, int) or not isinstance(seed, int) or abs(seed) >= 2**31:
        raise ValueError(f"size is pixels per side, and seed a whole number below 2**31, not {size!r} and {seed!r}")
    for name, _ in settings.weights:
        known("term of the method", name, table)
    check_device(device)
    check_settings(settings, bool(table))


def check_device(device: torch.device | str) -> None:
    """Refuse a device that this machine lacks."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch raises either for a device that is not there
        raise ValueError(f"device {str(device)!r} cannot be used here ({str(error).splitlines()[0]})") from error


RANGES = (  # settings, the least, the most; all are finite
    ("latent sheet_steps student_steps student_turn student_batch_size reuse bank", 1, math.inf),
    ("batch_size width", 2, math.inf),
    ("jitter augment", 0, math.inf),
    ("procedural things strokes balance blend", 0, 1),
)


def check_settings(settings: Settings, generates: bool) -> Settings:
    """Return `settings` if a run can be made of them; one that `generates` trains a source of images."""
    for name, usual in vars(Settings()).items():
        if isinstance(usual, int) and not isinstance(getattr(settings, name), Integral):
            raise ValueError(f"setting {name} must be a whole number, not {getattr(settings, name)!r}")
    for names, low, high in RANGES:
        for name in names.split():
            if not low <= (value := getattr(settings, name)) <= high or value == math.inf:
                how = f"at least {low}" if high == math.inf else f"from {low} to {high}"
                raise ValueError(f"setting {name} must be {how}, not {value}")
    if (settings.generator_steps > 0) != generates or settings.generator_steps < 0:
        how = "at least 1" if generates else "0 where no source learns"
        raise ValueError(f"setting generator_steps must be {how}, not {settings.generator_steps}")
    for name in "lr", "student_lr", "temperature":
        if not 0 < getattr(settings, name) < math.inf:
            raise ValueError(f"setting {name} must be a number above 0, not {getattr(settings, name)}")
    known("student_schedule", settings.student_schedule, ("constant", *SCHEDULES))
    known("student_optimizer", settings.student_optimizer, ("adam", "sgd"))
    if settings.generator_steps % settings.sheet_steps:
        raise ValueError(f"generator_steps must be a multiple of sheet_steps, not {settings.generator_steps}")
    if settings.batch_size % 2:
        raise ValueError(f"setting batch_size must be even, for diversity pairs its halves, not {settings.batch_size}")
    pooled = settings.generator_steps // settings.sheet_steps * settings.batch_size
    if settings.pooled and settings.student_batch_size > pooled:
        raise ValueError(f"student_batch_size must not exceed the pool's {pooled}, not {settings.student_batch_size}")
    if not settings.pooled and (settings.procedural or settings.balance or settings.blend):
        raise ValueError("procedural, balance and blend need pooled images; add pooled=true, or leave them out")
    return settings


def known(what: str, name: str, names: Iterable[str]) -> str:
    """Return `name` if it is one of `names`; else raise an error that lists them and suggests the nearest."""
    if name not in names:
        close = "".join(f". Did you mean {c!r}?" for c in get_close_matches(name, names, n=1))
        raise ValueError(f"no {what} {name!r}; there are {', '.join(names)}{close}")
    return name


def check_networks(
    teacher: nn.Module, student: nn.Module, channels: int, size: int, device, batch_size: int = 2, head: str = ""
) -> tuple[nn.Module, nn.Module, int]:
    """Return both networks, on `device` and answering with logits (N, K), and K; refuse what cannot work.

    ValueError says what cannot work; NetworkWarning what may spoil the run, which goes on.  `batch_size` is the
    student's; `head` names the teacher's layer whose input is the feature, which is found without it.
    """
    if channels not in (1, 3) or size < 8:
        raise ValueError(f"images are squares of 8 x 8 pixels and more, in 1 or 3 channels, not {channels} x {size}")
    trained = {id(p) for p in teacher.parameters()}
    if student is teacher or any(id(p) in trained for p in student.parameters() if p.requires_grad):
        raise ValueError("teacher and student are the same object, or share weights that train; build each anew")
    teacher, classes = check_teacher(teacher, channels, size, device, head)
    return teacher, check_student(student, teacher, classes, channels, size, device, batch_size), classes


def check_teacher(teacher: nn.Module, channels: int, size: int, device, head: str = "") -> tuple[nn.Module, int]:
    """Return a teacher that answers with logits (N, K), and K; refuse one that no generator can be trained against."""
    teacher, classes = as_logits("teacher", teacher, channels, size, device)
    if head and head not in dict(teacher.named_modules()):
        near = get_close_matches(head, [name for name, _ in teacher.named_modules()], n=1)
        raise ValueError(f"the teacher has no layer {head!r}" + "".join(f". Did you mean {name!r}?" for name in near))
    with _as_before("teacher", teacher, device), frozen(teacher):
        images = draw_images(2, channels, size, device).requires_grad_()
        with _layers_run(teacher, classes) as run:
            answer = _answer("teacher", teacher, images, channels, size)
        _pull("teacher", answer, [])
        if images.grad is None or not images.grad.any():
            raise ValueError("no gradient reaches the images through this teacher (no_grad, detach, numpy, rounding?)")
    found = head or (run[-1] if run else None)
    if head or (teacher.get_submodule(found) if found else None) is not find_head(teacher):
        teacher = Answering(teacher, head=found)
    return teacher, classes


def check_student(
    student: nn.Module, teacher: nn.Module, classes: int, channels: int, size: int, device, batch_size: int
) -> nn.Module:
    """Return a student that answers with logits (N, classes); refuse one that cannot train."""
    if not any(p.requires_grad for p in student.parameters()):
        why = "requires_grad is False" if next(student.parameters(), None) is not None else "it has no parameters"
        raise ValueError(f"the student has no weights that train ({why})")
    student, found = as_logits("student", student, channels, size, device)
    if found != classes:
        raise ValueError(f"the student answers {found} classes, the teacher {classes}")
    with _as_before("student", student, device), train_mode(student, training=True):
        n, parameters = min(batch_size, 2), list(student.parameters())
        try:
            answer = student(draw_images(n, channels, size, device))
        except Exception as error:
            if n == 1 and "more than 1 value per channel" in str(error):
                raise ValueError("BatchNorm needs batches of 2 or more; raise student_batch_size") from error
            raise ValueError(f"the student fails in train mode: {describe_error(error)}") from error
        _pull("student", _logits("student", student, answer, n), parameters)
        if all(p.grad is None for p in parameters):
            raise ValueError("no gradient reaches the student's weights (no_grad, detach?); it cannot train")
    if lost := [name for name, value in student.state_dict().items() if not isinstance(value, Tensor)]:
        warn(f"the student's {', '.join(lost)} is no tensor, so the saved student is without it")
    numbers = [sum(p.numel() for p in net.parameters()) for net in (student, teacher)]
    if numbers[0] > numbers[1]:
        warn(f"the student is larger than its teacher ({numbers[0]:,} and {numbers[1]:,} weights)")
    return student if isinstance(answer, Tensor) else Answering(student)


def as_logits(who: str, net: nn.Module, channels: int, size: int, device) -> tuple[nn.Module, int]:
    """Return a network on `device` that answers with logits (N, K), and K; refuse one that cannot."""
    net = _placed(who, net, device)
    with _as_before(who, net, device, keep_buffers=who == "teacher"), torch.no_grad(), train_mode(net, training=False):
        answers = [_answer(who, net, draw_images(n, channels, size, device), channels, size) for n in (2, 3)]
        found = [_logits(who, net, answer, n) for answer, n in zip(answers, (2, 3), strict=True)]
        rows = torch.cat([part.float().view(len(part), -1) for part in found])
        if who == "teacher" and (rows == rows[0]).all():
            raise ValueError("the teacher gives the same answer to every image")

        def more(high: float) -> Tensor:
            many = draw_images(24, channels, size, device, -1, high, coarse=True)
            return torch.cat([pick_logits(net(part)).float() for part in many.split(8)])

        form = _form(who, rows, more)
    plain = isinstance(answers[0], Tensor) and found[0].dtype == torch.get_default_dtype() and form == "logits"
    if not plain or next(net.parameters(), None) is None:
        net = Answering(net, form).to(device)
    return net, max(2, rows.shape[1])


def check_objective(teacher: nn.Module, objective: Objective, steps: int) -> None:
    """Refuse a teacher in which the terms do not find what they need: BatchNorm statistics, or a head.

    Warn of a table that trains no source in its `steps`, or that makes a loss larger.  A term that needs "any bn" only
    is taken out of the table where there are none.
    """
    if steps and objective and not objective.asks:
        warn("every term is off or has weight 0, so the generator stays untrained; switch one on")
    for name, term in objective.items():
        if term.on and term.weight < 0:
            warn(f"the weight of {name} is {term.weight:g}: below 0 its loss is made as large as possible")
    closed = _closed(teacher)
    seen = not closed and any(has_statistics(m) for m in teacher.modules())
    for name in [name for name, term in objective.items() if "any bn" in term.needs]:
        objective[name].needs = ("bn",)
        if not seen:
            del objective[name]
    asked = [name for name, term in objective.items() if term.on and term.weight and "bn" in term.needs]
    if asked and not seen:
        stateless = any(isinstance(m, nn.BatchNorm2d) for m in teacher.modules())
        lacks = "has no BatchNorm2d layer" + " with running statistics (track_running_stats)" * stateless
        raise ValueError(
            f"the teacher {type(teacher).__name__} {closed or lacks}, so term {asked[0]!r} has no statistics to "
            f"match; take a teacher that has (--teacher lenet5-bn), or leave the term out (--off {asked[0]})"
        )
    if "features" in objective.needs and (closed or not find_head(teacher)):
        what = f"the teacher {type(teacher).__name__} {closed or 'has no layer that is seen to answer its classes'}"
        raise ValueError(f"{what}; name the layer whose input is the feature (--head NAME, or head=)")


def _closed(net: nn.Module) -> str:
    """Say why hooks find no layers in a network, if they do not."""
    if any(isinstance(m, torch.jit.ScriptModule) for m in net.modules()):
        return "is compiled by TorchScript, and hooks find no layers in it: give the original network"
    if any(hasattr(m, "_orig_mod") for m in net.modules()):
        return "is compiled by torch.compile, and hooks find no layers in it: give the original network"
    return ""


def draw_images(
    n: int, channels: int, size: int, device, low: float = -1.0, high: float = 0.0, coarse: bool = False
) -> Tensor:
    """Draw images (n, C, S, S) of falling contrast, 10 ** high to 10 ** low: noise or coarse spots, always the same."""
    side = 4 if coarse else size
    noise = torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(0))
    if coarse:
        noise = nn.functional.interpolate(noise, (size, size), mode="bilinear", align_corners=False)
    return (noise * torch.logspace(high, low, n).view(-1, 1, 1, 1)).to(device)


# ---- private ---------------------------------------------------------------------------------------------------------


def _placed(who: str, net: nn.Module, device) -> nn.Module:
    """Return the network on `device`, in the format of the run's numbers, laid out for speed: the same numbers."""
    tensors = [*net.named_parameters(), *net.named_buffers()]
    for name, tensor in tensors:
        if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
            raise ValueError(f"the {who}'s {name} is Lazy and has no size yet; show it an image in its factory")
        if tensor.is_meta:
            raise ValueError(f"the {who}'s {name} has no values: it is on the device meta; load its weights first")
    try:
        net.train(net.training)
    except Exception as error:  # a program of torch.export
        what = f"cannot change between train and eval mode ({describe_error(error)})"
        raise ValueError(f"the {who} {what}; give the original network, not an exported one") from error
    usual = torch.get_default_dtype()
    formats = {t.dtype for _, t in tensors if t.is_floating_point()} - {usual}
    if formats:
        names = " and ".join(str(kind).removeprefix("torch.") for kind in formats)
        warn(f"the {who} is in {names}; it is converted to {str(usual).removeprefix('torch.')}", NetworkNote)
        net = net.to(usual)
    net = net.to(device)  # which can lay out only what has 4 dimensions, and says so of 5
    return net if any(t.dim() == 5 for _, t in tensors) else net.to(memory_format=torch.channels_last)


@contextmanager
def _as_before(who: str, net: nn.Module, device, keep_buffers: bool = False) -> Iterator[None]:
    """Inside: anything.  Outside: gradients, buffers, modes and the global random numbers as they were.

    With `keep_buffers` a buffer of floating-point numbers that has changed is refused.
    """
    gradients = [(p, p.grad) for p in net.parameters()]
    modes = [(m, m.training) for m in net.modules()]
    buffers = [
        (m, f"{at}.{name}".lstrip("."), name, b, b.clone())
        for at, m in net.named_modules()
        for name, b in m.named_buffers(recurse=False)
    ]
    device, changed = torch.device(device), []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
        try:
            yield
        finally:
            for p, grad in gradients:
                p.grad = grad
            for m, training in modes:
                m.training = training
            with torch.no_grad():
                for m, full, name, buffer, value in buffers:
                    now = getattr(m, name)
                    if now is None or now.shape != value.shape or not torch.equal(now, value):
                        changed.append(full)
                        buffer.copy_(value)
                        if not isinstance(m, torch.jit.ScriptModule):
                            m._buffers[name] = buffer
    moved = [full for _, full, _, _, value in buffers if full in changed and value.is_floating_point()]
    if keep_buffers and moved:
        raise ValueError(f"the {who}'s buffers change in forward ({', '.join(moved[:3])}); leave it in eval mode")


@contextmanager
def _layers_run(net: nn.Module, classes: int) -> Iterator[list[str]]:
    """Collect the names of layers that might be the head, in the order in which they are run."""
    run = []
    layers = [(name, m) for name, m in net.named_modules() if _may_be_head(m, classes)]
    hooks = [m.register_forward_hook(lambda *_, name=name: run.append(name)) for name, m in layers]
    try:
        yield run
    finally:
        for hook in hooks:
            hook.remove()


def _may_be_head(layer: nn.Module, classes: int) -> bool:
    """Say whether a layer is linear, or a 1 x 1 convolution, and answers a number for each class."""
    if isinstance(layer, nn.Conv2d):
        return layer.kernel_size == (1, 1) and layer.out_channels == classes
    return isinstance(layer, nn.Linear) and layer.out_features in (classes, 1 if classes == 2 else classes)


def _answer(who: str, net: nn.Module, images: Tensor, channels: int, size: int):
    """Return what a network answers, in whatever form; refuse one that fails, or changes its images."""
    seen = images.clone()
    try:
        answer = net(seen)
    except Exception as error:
        few = "" if len(images) == 2 else f", {len(images)} at a time (2 are no problem; is a batch size written in?)"
        hint = "; --channels and --size say what it expects, and images are square" * isinstance(error, RuntimeError)
        raise ValueError(
            f"the {who} cannot read images of {channels} x {size} x {size}{few}: {describe_error(error)}{hint}"
        ) from error
    if not torch.equal(seen.detach(), images.detach()):
        raise ValueError(f"the {who} changes its images in place; write x = x - mean, not x.sub_(mean)")
    return answer


def _logits(who: str, net: nn.Module, answer, n: int) -> Tensor:
    """Return the tensor in an answer to `n` images; refuse one that cannot be logits."""
    try:
        found = pick_logits(answer)
    except ValueError as error:
        raise ValueError(f"the {who} {error}") from None
    shape = tuple(found.shape)
    if found.dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool):
        kind = str(found.dtype).removeprefix("torch.")
        what = f"class numbers ({kind})" if found.ndim == 1 else f"whole numbers ({kind})"
        raise ValueError(f"the {who} answers {what}; give the logits, as they are before argmax or rounding")
    if found.ndim not in (1, 2) or len(found) != n or found.ndim == 2 and not shape[1]:
        gave = "two images" if n == 2 else f"{n} images"
        raise ValueError(f"the {who} must answer N images with logits (N, K); {gave} gave {shape}")
    if not found.isfinite().all():
        named = [*net.named_parameters(), *net.named_buffers()]
        bad = next((f" (not finite either: {name})" for name, t in named if not t.isfinite().all()), "")
        raise ValueError(f"the {who}'s answers are not finite, but NaN or infinite{bad}")
    return found


def _form(who: str, rows: Tensor, more: Callable[[float], Tensor]) -> str:
    """Say which of `answers.FORMS` the answers (N, K) have, and warn of what may spoil the run.

    `more(high)` gives the answers to more images, of contrasts up to 10 ** high.
    """
    share = bool((rows >= 0).all() and (rows <= 1).all())
    if rows.shape[1] == 1:
        sigmoid = share and bool(((found := more(3)) >= 0).all() and (found <= 1).all())
        how = "log-odds of its sigmoid" if sigmoid else "z"
        warn(f"the {who} answers one number; it is made two classes (0 and {how}), as is the student's", NetworkNote)
        return "one sigmoid" if sigmoid else "one logit"
    sums = rows.sum(1)
    if share and ((sums - 1).abs() < 1e-3).all():
        warn(f"each of the {who}'s answers sums to 1: these look like probabilities (softmax); the logarithm is taken")
        if zeros := (torch.cat([rows, more(1)]) == 0).float().mean().item():
            warn(f"{zeros:.0%} of the {who}'s probabilities are exactly 0; give the layer before the softmax")
        return "softmax"
    if who == "teacher" and (rows >= 0).all() and sums[0] > 0 and ((sums / sums[0] - 1).abs() < 1e-3).all():
        warn(f"each of the teacher's answers sums to {sums[0]:.4g}: these look like probabilities; give the logits")
    elif who == "teacher" and share:
        warn("all of the teacher's answers lie in [0, 1]; if it ends in a sigmoid per class, give the layer before")
    elif who == "teacher":
        _warn_of_scale(rows, more)
    return "logits"


def _warn_of_scale(rows: Tensor, more: Callable[[float], Tensor]) -> None:
    """Warn of logits (N, K) whose softmax is 1 for one class nearly everywhere, or never near 1."""
    sure = rows.softmax(1).amax(1) == 1  # 17 or more between the two largest, in single precision
    if sure.float().mean() > 0.5:
        warn(
            f"the teacher's logits lie up to {(rows.amax(1) - rows.amin(1)).max():.3g} apart, so its softmax is "
            "exactly 1 even for noise and a generator gets almost no gradient; divide them in forward, by 10 or more"
        )
    if (rows.amax(1) - rows.amin(1)).max() < 1.5:
        rows = more(1)
        if rows.softmax(1).amax() < 0.5 and (apart := (rows.amax(1) - rows.amin(1)).max()) < 2.5:
            warn(
                f"the teacher is never sure: its logits lie at most {apart:.3g} apart (untrained, or cosine "
                "similarities without their scale?); if it is trained, multiply them in forward by its scale"
            )


def _pull(who: str, answer: Tensor, clear: list[nn.Parameter]) -> None:
    """Go backward from an answer, weighted at random, after the gradients of `clear` were forgotten."""
    for p in clear:
        p.grad = None
    if answer.requires_grad:
        pull = torch.randn(answer.shape, generator=torch.Generator().manual_seed(1)).to(answer)
        try:
            (answer * pull).sum().backward()
        except Exception as error:
            raise ValueError(f"the gradient through the {who} fails: {describe_error(error)}") from error
