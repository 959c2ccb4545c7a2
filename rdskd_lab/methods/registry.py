"""METHODS: every method and control by its name, and `describe`, what each of their terms is in words.

The methods are those in the `METHODS` of each file in this folder: a new file needs no line here.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from ..objective import Words
from .method import Method

ORDER = "rdskd rdskd_bn dafl zskd deepinversion dfad * baselines procedural_images".split()  # *: all others, by name


def _found() -> dict[str, Method]:
    files = [file.name for file in iter_modules(import_module(__package__).__path__) if file.name != "registry"]
    methods = {}
    for file in sorted(files, key=lambda name: (ORDER.index(name if name in ORDER else "*"), name)):
        for name, method in getattr(import_module(f".{file}", __package__), "METHODS", {}).items():
            if name in methods:
                raise ValueError(f"methods/{file}.py has a method {name!r}, and so has another file; rename one")
            methods[name] = method
    return methods


METHODS = _found()
WORDS: dict[str, Words] = {}
for method in METHODS.values():
    for table in method.terms(), method.student(1.0):
        WORDS = table.words | WORDS  # of two that share a key, the first method's


def describe(key: str, own: Mapping[str, Words] = WORDS) -> Words:
    """Return what the term `key` is in words, from `own` or the package; for an unknown term, words that say so."""
    unknown = "This term has no description; read the function that computes it."
    return own.get(key) or WORDS.get(key) or Words(key, "not described", "its own unit", "not described", unknown)
