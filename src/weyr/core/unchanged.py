"""What does a look leave as it was? Most of what is remembered, and then it is not made anew."""

from dataclasses import replace
from typing import Any, TypeVar

T = TypeVar("T")


def changed(value: T, **fields: Any) -> T:
    """The frozen dataclass with these fields: itself where it has them already.

    `dataclasses.replace` reads every field and makes a copy. Most looks change nothing, and who keeps what they gave
    compares it with what was there: the very same value costs nothing to compare.
    """
    for name, field in fields.items():
        if getattr(value, name) != field:
            copy: T = replace(value, **fields)  # type: ignore[type-var]
            return copy
    return value
