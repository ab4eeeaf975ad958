"""What does the functions file say? Parsed into frozen values, or refused whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weyr.core.capability import FunctionBody
from weyr.core.schema import ValidationError, from_plain


@dataclass(frozen=True, slots=True)
class Setting:
    """One function: whose it is, where its callers come in, how it is run, and since when it is there."""

    name: str
    thing: str
    generation: int
    socket: str
    body: FunctionBody
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One version of the file."""

    generation: int
    functions: Mapping[str, Setting]


def read_settings(path: Path) -> Settings:
    """A missing file is no function. Raises: OSError, ValueError where it cannot be read or understood."""
    try:
        plain = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Settings(0, {})
    try:
        functions = {
            name: Setting(
                name,
                entry["thing"],
                entry["generation"],
                entry["socket"],
                from_plain(FunctionBody, entry["body"]),
                float(entry.get("since", 0.0)),
            )
            for name, entry in plain["functions"].items()
        }
        return Settings(int(plain["generation"]), functions)
    except (KeyError, TypeError, AttributeError, ValidationError) as e:
        raise ValueError(f"{path} is not a functions file: {type(e).__name__} {e}") from e
