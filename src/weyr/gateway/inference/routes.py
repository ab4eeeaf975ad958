"""What does the routes file say? Parsed into frozen values, or refused whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Address:
    """One replica to send to."""

    id: str
    socket: str


@dataclass(frozen=True, slots=True)
class Route:
    """What one endpoint's callers get. `thing` is whose route it is; the plane only hands it back."""

    name: str
    thing: str
    generation: int
    model: str
    hold_s: float
    replicas: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """One version of the file."""

    generation: int = 0
    routes: Mapping[str, Route] | None = None


Stamp = tuple[int, int, int]
"""Tells two versions of a file apart without reading them."""


def stamp_of(path: Path) -> Stamp | None:
    """None where there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_routes(path: Path) -> Routes:
    """A missing file routes nothing. Raises: OSError, ValueError where it cannot be read or understood."""
    try:
        plain = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Routes(0, {})
    try:
        routes = {name: _route(name, entry) for name, entry in plain["endpoints"].items()}
        return Routes(int(plain["generation"]), routes)
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"{path} is not a routes file: {type(e).__name__} {e}") from e


def _route(name: str, entry: Mapping[str, object]) -> Route:
    replicas = entry["replicas"]
    generation, hold_s = entry["generation"], entry["hold_s"]
    if not isinstance(replicas, list) or not isinstance(generation, int) or not isinstance(hold_s, int | float):
        raise TypeError(f"in {name}")
    return Route(
        name=name,
        thing=str(entry.get("thing", "")),
        generation=generation,
        model=str(entry.get("model", "")),
        hold_s=float(hold_s),
        replicas=tuple(Address(str(r["id"]), str(r["socket"])) for r in replicas),
    )
