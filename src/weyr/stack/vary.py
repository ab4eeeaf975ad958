"""What if a field of the file were another? Variants of a stack's text, and which of them nothing else beats. Pure.

`endpoints.digits.scale.max=2..8` names a field by its path; without the first two words it is that of every object
that may have it, so `scale.max=2..8` is every endpoint's and service's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import yaml

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.kind import Kinds

VARIANTS_MAX = 100
FIELDS_MAX = 2
EXAMPLE = "--vary scale.max=2..8"
_RANGE = re.compile(r"(-?[0-9]+)\.\.(-?[0-9]+)(?:\.\.([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Vary:
    """One field, by its path in the file, and what it is to be in turn."""

    path: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Variant:
    """A stack's text with the fields at `values`, by name."""

    values: Mapping[str, Any]
    text: str


def read_vary(texts: Sequence[str]) -> list[Vary]:
    """Raises: UserError with everything that is wrong."""
    problems, found = list[Diagnostic](), list[Vary]()
    for text in texts:
        name, sign, values = text.partition("=")
        path = tuple(name.strip().split("."))
        if not sign or not all(path) or not values.strip():
            detail = f'"{text}" is no field with values: write its path, "=", and 2..8, 2..8..2 or a list 2,4,8.'
            problems.append(Diagnostic("A field that cannot be varied", detail, suggestion=EXAMPLE))
            continue
        found.append(Vary(path, tuple(_values(values.strip()))))
    if len(texts) > FIELDS_MAX:
        detail = f"{len(texts)} fields are varied at once, and a picture has room for {FIELDS_MAX}."
        problems.append(Diagnostic("Too many fields", detail, suggestion=EXAMPLE))
    count = 1
    for vary in found:
        count *= len(vary.values)
    if count > VARIANTS_MAX:
        detail = f"These are {count} variants, each a whole rehearsal; at most {VARIANTS_MAX} are done in one go."
        problems.append(Diagnostic("Too many variants", detail, suggestion="--vary scale.max=2..20..6"))
    if problems:
        raise UserError(*problems)
    return found


def variants(text: str, varied: Sequence[Vary], kinds: Kinds) -> Iterator[Variant]:
    """Every combination, the last field changing first. Takes: a text that is a valid stack file.

    Raises: UserError where a field is no object's.
    """
    for values in product(*(vary.values for vary in varied)):
        tree = yaml.safe_load(text)
        for vary, value in zip(varied, values, strict=True):
            _put(tree, vary.path, value, kinds)
        named = {vary.name: value for vary, value in zip(varied, values, strict=True)}
        yield Variant(named, yaml.safe_dump(tree, sort_keys=False))


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (what it costs, how good it is) no other one beats in one of the two without being worse in the
    other."""
    return [
        not any(
            (cost <= own_cost and good >= own_good) and (cost < own_cost or good > own_good) for cost, good in points
        )
        for own_cost, own_good in points
    ]


def _values(text: str) -> Iterator[Any]:
    if found := _RANGE.fullmatch(text):
        first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
        yield from range(first, last + 1, max(step, 1)) if first <= last else range(first, last - 1, -max(step, 1))
    else:
        yield from (yaml.safe_load(part) for part in text.split(","))


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any, kinds: Kinds) -> None:
    plurals = {kind.plural: kind for kind in kinds.values()}
    if path[0] in plurals or path[0] in tree:
        places = [_at(tree, path)]
    else:
        places = [
            _inside(section, name, path)
            for plural, kind in plurals.items()
            if path[0] in kind.spec.model_fields and isinstance(section := tree.get(plural), dict)
            for name in section
        ]
    if not places:
        known = sorted({name for kind in plurals.values() for name in kind.spec.model_fields} | plurals.keys())
        detail = f"No object of the file can have {'.'.join(path)}.{did_you_mean(path[0], known)}"
        raise UserError(Diagnostic("A field that is not there", detail, suggestion=EXAMPLE))
    for place in places:
        place[path[-1]] = value


def _at(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if len(path) > 2 and path[1] not in (tree.get(path[0]) or {}):
        detail = f"There is no {'.'.join(path[:2])}.{did_you_mean(path[1], tree.get(path[0]) or ())}"
        raise UserError(Diagnostic("An object that is not there", detail, suggestion=EXAMPLE))
    return _down(tree, path[:-1])


def _inside(section: dict[str, Any], name: str, path: tuple[str, ...]) -> dict[str, Any]:
    section[name] = section[name] or {}
    return _down(section[name], path[:-1])


def _down(tree: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    for word in path:
        if not isinstance(tree.get(word), dict):
            tree[word] = {}
        tree = tree[word]
    return tree
