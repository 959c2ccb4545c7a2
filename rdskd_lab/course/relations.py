"""Say in words how a learner's numbers differ from the right ones: by a factor, a constant, a square, and where."""

import math

import torch
from torch import Tensor

RTOL, ATOL = 1e-6, 1e-9
LOOSE = 1e-4  # relative, for a number found by bisection
FEW = 32  # a tensor with more numbers than this is not printed in full
FACTORS = (
    (math.log(10), "this is ln 10: a logarithm has the wrong base"),
    (1 / math.log(10), "this is 1 / ln 10: you use log10 instead of the natural logarithm, torch.log"),
    (1 / math.log(2), "this is 1 / ln 2: you use log2 instead of the natural logarithm, torch.log"),
    (math.log(2), "this is ln 2: a logarithm or a power has base 2"),
)


def as_number(x) -> Tensor:
    """Return a number or tensor in double precision, without its gradient."""
    return torch.as_tensor(x, dtype=torch.float64).detach()


def differing(seen: dict, right: dict, rtol: float = RTOL) -> str:
    """Return the first key whose values differ between the two; "" if all agree to within `rtol`."""
    for key in [*right, *seen]:
        if key not in seen or key not in right or not _same(seen[key], right[key], rtol):
            return key
    return ""


def relation(seen: dict, right: dict, sizes: tuple[tuple[str, float | tuple], ...] = ()) -> str:
    """Describe a simple relation between all of a learner's numbers and the right ones; "" if there is none.

    `sizes` names likely wrong factors, each one number or one per key: (("the number of images", 4), ...).
    """
    if set(seen) != set(right) or any(isinstance(x, str) for x in [*seen.values(), *right.values()]):
        return ""
    pairs = [(as_number(seen[key]), as_number(right[key])) for key in right]
    if any(x.shape != y.shape or not (x.isfinite() & y.isfinite()).all() for x, y in pairs):
        return ""
    factors = [_factor_of(x, y) for x, y in pairs]
    if None not in factors and (said := _tell_factor(factors, sizes)):
        return said
    values = [(x, y) for x, y in pairs if x.shape == ()]
    shifts = [float(x - y) for x, y in values]
    rest = all(torch.allclose(x, y, RTOL, ATOL) for x, y in pairs if x.shape != ())
    if len(pairs) > 1 and shifts and rest and max(shifts) - min(shifts) < 1e-8:
        way = "too large" if shifts[0] > 0 else "too small"
        gradient = ", and the gradient is right" if len(values) < len(pairs) else ""
        return f"Every value is {abs(shifts[0]):.4g} {way}{gradient}: you add a constant that does not belong there."
    for power, words in (
        (2, "Your values are the squares of the right ones: take the square root."),
        (0.5, "Your values are the square roots of the right ones: do not take the square root."),
        (-1, "Your values are the reciprocals of the right ones: invert the fraction."),
    ):
        if values and all(y > 0 and torch.allclose(x, y**power, 1e-5) for x, y in values):
            return words
    return ""


def tell_difference(seen: dict, right: dict, rtol: float = RTOL) -> str:
    """Say what differs first, with enough digits to show the difference, and what is already right."""
    key = differing(seen, right, rtol)
    if key not in seen or key not in right:
        return f"The check expected {_lower(key)}." if key in right else f"The check did not expect {_lower(key)}."
    if isinstance(seen[key], str) and not isinstance(right[key], str):
        return f"{upper(key)} should be a number; yours is a text, {seen[key][:20]!r}."
    if isinstance(right[key], str):
        return f"{upper(key)} should be {right[key]}; yours is {seen[key]}."
    got, want = as_number(seen[key]), as_number(right[key])
    if got.shape != want.shape:
        return f"{upper(key)} should have shape {tuple(want.shape)}; yours has {tuple(got.shape)}.{_shape(got, want)}"
    agree = [other for other in right if other in seen and _same(seen[other], right[other], rtol)]
    already = f" Already right: {agree[0]}." if agree else ""
    if not want.shape:
        expected, yours = _apart(want.item(), got.item())
        return f"{upper(key)} should be {expected}; yours is {yours}.{already}"
    gap = (got - want).abs().nan_to_num(torch.inf)
    at = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    expected, yours = _apart(want[at].item(), got[at].item())
    return f"{upper(key)} should be {expected} at [{', '.join(map(str, at))}]; yours is {yours}.{already}"


def write_value(value) -> str:
    """Write an input or a result so that a learner can read it, and type it if it is small."""
    if isinstance(value, Tensor) and value.numel() > FEW:
        low, high = float(value.min()), float(value.max())
        return f"a tensor of shape {tuple(value.shape)}, with values from {low:.4g} to {high:.4g}"
    if isinstance(value, Tensor):
        return f"tensor({_rounded(value.tolist())})" if value.shape else f"{value.item():.6g}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if type(value) in (list, tuple):
        return "(" + ", ".join(map(write_value, value)) + ")"
    if isinstance(value, torch.nn.Module):
        return f"a network ({type(value).__name__})"
    if callable(value):
        return (value.__doc__ or "a function").rstrip(".")
    return repr(value)


def _factor_of(x: Tensor, y: Tensor) -> float | None:
    """Return the factor by which x differs from y, nan if both are 0; None if there is none."""
    if not y.any():
        return None if x.any() else math.nan
    factor = float((x * y).sum() / (y * y).sum())
    return factor if torch.allclose(x, factor * y, 1e-5, 1e-8) else None


def _tell_factor(factors: list[float], sizes: tuple[tuple[str, float | tuple], ...]) -> str:
    """Say by which factor everything is off, and which known number that is; "" if there is no common factor."""

    def is_(numbers) -> bool:
        return all(
            math.isnan(f) or math.isclose(abs(f), n, rel_tol=1e-5) for f, n in zip(factors, numbers, strict=True)
        )

    known = [f for f in factors if not math.isnan(f)]
    if not known:
        return ""
    turned = "; the sign is reversed as well" if all(f < 0 for f in known) else ""
    if is_([1.0] * len(factors)) and turned:
        return "Everything you return has the right size but the wrong sign: reverse the sign."
    for words, size in sizes:
        every = size if isinstance(size, tuple) else (size,) * len(factors)
        if is_(every):
            return f"Everything you return is too large: divide it by {words}, as a mean does{turned}."
        if is_([1 / n for n in every]):
            return f"Everything you return is too small: you divide by {words} once too often{turned}."
    if max(known) - min(known) > 1e-5 * max(map(abs, known)):
        return ""
    named = next((f": {words}" for number, words in FACTORS if is_([number] * len(factors))), "")
    return f"Everything you return is {known[0]:.4g} times the right answer{named}{turned if named else ''}."


def _shape(got: Tensor, want: Tensor) -> str:
    """Say what may have caused a wrong shape."""
    if want.ndim > 1 and got.shape == want.transpose(-1, -2).shape:
        return " Rows and columns are swapped."
    for axis in range(want.ndim):
        if got.shape == want.shape[:axis] + want.shape[axis + 1 :]:
            return f" Axis {axis} is missing: did you sum or average over it?"
    return ""


def _apart(want: float, got: float) -> tuple[str, str]:
    """Write two numbers with enough digits to tell them apart, at least four."""
    for digits in range(4, 13):
        texts = f"{want:.{digits}f}", f"{got:.{digits}f}"
        if texts[0] != texts[1]:
            return texts
    return f"{want:.6e}", f"{got:.6e}"


def _same(a, b, rtol: float) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    a, b = as_number(a), as_number(b)
    return a.shape == b.shape and torch.allclose(a, b, rtol, ATOL, equal_nan=True)


def _rounded(x):
    return [_rounded(y) for y in x] if isinstance(x, list) else round(x, 6) if isinstance(x, float) else x


def upper(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
