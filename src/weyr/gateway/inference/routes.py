"""What does the routes file say? Parsed into frozen values, or refused whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weyr.core.plain import value_of
from weyr.core.routes import RouteBody, problems_of


@dataclass(frozen=True, slots=True)
class Route:
    """What one endpoint's callers get. `thing` is whose route it is, and `since` when it came: the plane counts by
    both, and hands them back."""

    name: str
    thing: str
    generation: int
    body: RouteBody
    since: float = 0.0


Entry = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Routes:
    """One version of the file: its entries as they are written, and what they say."""

    generation: int = 0
    routes: Mapping[str, Route] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)


Stamp = tuple[int, int, int]
"""Tells two versions of a file apart without reading them."""


def stamp_of(path: Path) -> Stamp | None:
    """None where there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_routes(path: Path, known: Routes) -> Routes:
    """A missing file routes nothing. Takes what is `known` of it: of a thousand endpoints one changes at a time, and
    only that is read closely. Raises: OSError, ValueError where it cannot be read or understood."""
    try:
        plain = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Routes()
    try:
        entries = plain["endpoints"]
        routes = {
            name: known.routes[name] if known.entries.get(name) == entry else _route(name, entry)
            for name, entry in entries.items()
        }
        return Routes(int(plain["generation"]), routes, entries)
    except ValueError as e:
        raise ValueError(f"{path} is not a routes file: {e}") from e
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"{path} is not a routes file: {type(e).__name__} {e}") from e


def _route(name: str, entry: Entry) -> Route:
    generation = entry["generation"]
    if not isinstance(generation, int):
        raise TypeError(f"in {name}")
    body = value_of(RouteBody, entry["route"], name)
    if problems := problems_of(body):
        raise ValueError(f"{name}: {'; '.join(problems)}")
    since = entry.get("since", 0.0)
    if not isinstance(since, int | float):
        raise TypeError(f"in {name}")
    return Route(name, str(entry.get("thing", "")), generation, body, float(since))
