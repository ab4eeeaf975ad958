"""Which of Terraform's functions are known? Those that decide on counts, sizes and names.

A function that is not here makes its result unknown, so that nothing is priced from a guess.
Source: developer.hashicorp.com/terraform/language/functions, read in November 2026.
"""

import base64
import hashlib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import product
from typing import Any

import yaml

from weyr.ledger.terraform.resources import Unknown


def text_of(value: Any) -> str:
    """As a template writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def _number(value: Any) -> int | Decimal:
    found = Decimal(str(value))
    return int(found) if found == found.to_integral_value() else found


def _coalesce(*values: Any) -> Any:
    return next(value for value in values if value is not None and value != "")


def _flat(items: list[Any]) -> list[Any]:
    return [each for item in items for each in (_flat(item) if isinstance(item, list) else [item])]


def _merged(*maps: Any) -> Any:
    unknown = [each for each in maps if isinstance(each, Unknown)]
    if unknown:
        return unknown[0]
    return {key: value for each in maps if each for key, value in each.items()}


def _length(value: Any) -> Any:
    return value if isinstance(value, Unknown) else len(value)


def _format(form: str, *values: Any) -> str:
    rest = list(values)

    def put(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        value = rest.pop(0)
        if match[2] == "q":
            return json.dumps(text_of(value))
        if match[2] in "sv":
            return f"%{match[1]}s" % text_of(value)
        return f"%{match[1]}{match[2]}" % (float(value) if match[2] in "feg" else int(value))

    return re.sub(r"%([-+0-9.]*)([sdvqfegxXobt])|%%", put, form)


def _replace(text: str, old: str, new: str) -> str:
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return re.sub(old[1:-1], re.sub(r"\$(\d+)", r"\\\1", new), text)
    return text.replace(old, new)


def _regex(pattern: str, text: str) -> Any:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"{pattern} is not in it")
    return found.groupdict() or (list(found.groups()) if found.groups() else found[0])


def _range(*bounds: Any) -> list[int]:
    return list(range(*[int(bound) for bound in bounds]))


def _lookup(of: Mapping[str, Any], key: Any, *default: Any) -> Any:
    return of.get(text_of(key), *default) if default else of[text_of(key)]


def _element(items: list[Any], index: Any) -> Any:
    return items[int(index) % len(items)]


def _contains(items: list[Any], value: Any) -> bool:
    return value in items or text_of(value) in items


def _zip(keys: list[Any], values: list[Any]) -> dict[str, Any]:
    return {text_of(key): value for key, value in zip(keys, values, strict=False)}


def _unique(items: list[Any]) -> list[Any]:
    return [item for at, item in enumerate(items) if item not in items[:at]]


def _sorted_set(items: Any) -> list[Any]:
    return sorted(_unique(list(items)), key=text_of)


def _subnet(prefix: str, more_bits: Any, index: Any) -> str:
    network = ipaddress.ip_network(prefix, strict=False)
    width = network.prefixlen + int(more_bits)
    start = int(network.network_address) + (int(index) << (network.max_prefixlen - width))
    return f"{ipaddress.ip_address(start)}/{width}"


def _slice(items: list[Any], start: Any, end: Any) -> list[Any]:
    return items[int(start) : int(end)]


def _one(items: Any) -> Any:
    return items[0] if items else None


def _chunks(items: list[Any], size: Any) -> list[list[Any]]:
    return [items[at : at + int(size)] for at in range(0, len(items), int(size))]


def _without_empty(items: list[Any]) -> list[Any]:
    return [item for item in items if item not in (None, "")]


def _substring(text: str, start: Any, length: Any) -> str:
    return text[int(start) :] if int(length) < 0 else text[int(start) : int(start) + int(length)]


def _decoded(value: str) -> Any:
    return json.loads(value, parse_float=Decimal)


def _encoded(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, default=text_of)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "alltrue": lambda items: all(item in (True, "true") for item in items),
    "anytrue": lambda items: any(item in (True, "true") for item in items),
    "base64decode": lambda text: base64.b64decode(text).decode(),
    "base64encode": lambda text: base64.b64encode(str(text).encode()).decode(),
    "basename": lambda path: path.rstrip("/").rsplit("/", 1)[-1],
    "ceil": lambda value: math.ceil(Decimal(str(value))),
    "chomp": lambda text: text.rstrip("\r\n"),
    "chunklist": _chunks,
    "cidrsubnet": _subnet,
    "coalesce": _coalesce,
    "coalescelist": lambda *lists: next(each for each in lists if each),
    "compact": _without_empty,
    "concat": lambda *lists: [item for each in lists for item in each],
    "contains": _contains,
    "dirname": lambda path: path.rsplit("/", 1)[0] if "/" in path else ".",
    "distinct": _unique,
    "element": _element,
    "endswith": lambda text, end: text.endswith(end),
    "flatten": _flat,
    "floor": lambda value: math.floor(Decimal(str(value))),
    "format": _format,
    "index": lambda items, value: items.index(value),
    "join": lambda between, items: between.join(text_of(item) for item in items),
    "jsondecode": _decoded,
    "jsonencode": _encoded,
    "keys": lambda of: sorted(of),
    "length": _length,
    "lookup": _lookup,
    "lower": lambda text: text_of(text).lower(),
    "max": lambda *values: max(_number(value) for value in values),
    "md5": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
    "merge": _merged,
    "min": lambda *values: min(_number(value) for value in values),
    "nonsensitive": lambda value: value,
    "one": _one,
    "parseint": lambda text, base: int(text, int(base)),
    "pow": lambda base, power: base**power,
    "range": _range,
    "regex": _regex,
    "replace": _replace,
    "reverse": lambda items: list(reversed(items)),
    "sensitive": lambda value: value,
    "setintersection": lambda *sets: [item for item in sets[0] if all(item in each for each in sets)],
    "setproduct": lambda *sets: [list(each) for each in product(*sets)],
    "setsubtract": lambda one, two: [item for item in one if item not in two],
    "setunion": lambda *sets: _sorted_set([item for each in sets for item in each]),
    "sha1": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "slice": _slice,
    "sort": lambda items: sorted(text_of(item) for item in items),
    "split": lambda between, text: text.split(between),
    "startswith": lambda text, start: text.startswith(start),
    "strcontains": lambda text, part: part in text,
    "substr": _substring,
    "sum": lambda items: sum(_number(item) for item in items),
    "title": lambda text: text.title(),
    "tobool": lambda value: value if value is None else value in (True, "true"),
    "tolist": list,
    "tomap": dict,
    "tonumber": lambda value: value if value is None else _number(value),
    "toset": _sorted_set,
    "tostring": lambda value: value if value is None else text_of(value),
    "trim": lambda text, letters: text.strip(letters),
    "trimprefix": lambda text, start: text.removeprefix(start),
    "trimspace": lambda text: text.strip(),
    "trimsuffix": lambda text, end: text.removesuffix(end),
    "upper": lambda text: text_of(text).upper(),
    "values": lambda of: [of[key] for key in sorted(of)],
    "yamldecode": yaml.safe_load,
    "zipmap": _zip,
}
