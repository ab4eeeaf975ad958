"""Where in a JSON value? Paths such as `messages[*].content`, read once and followed often. Pure."""

import re
from typing import Any

_STEP = re.compile(r"\.?([A-Za-z_][\w-]*)|\[(\*|\d+)\]|\.(\*)")

Step = str | int | None
"""A field's name, an element's index, or None for every one."""
Path = tuple[Step, ...]


def path_of(text: str) -> Path:
    """Reads `messages[*].content`, `inputs[0].data` or `user.*`. Raises: ValueError with a sentence."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text!r} is no path at {text[at:]!r}; a path is written as messages[*].content")
        name, index, every = found.groups()
        steps.append(name if name else None if every or index == "*" else int(index))
        at = found.end()
    if not steps:
        raise ValueError("an empty path names nothing")
    return tuple(steps)


def replaced(value: Any, path: Path, by: object) -> object:
    """`value` with `by` at `path`; what has no such part is as it was."""
    if not path:
        return by
    step, rest = path[0], path[1:]
    match value:
        case dict():
            return {key: replaced(each, rest, by) if step in (None, key) else each for key, each in value.items()}
        case list():
            return [replaced(each, rest, by) if step in (None, at) else each for at, each in enumerate(value)]
        case _:
            return value


def without(value: Any, path: Path) -> object:
    """`value` with nothing at `path`: a field is gone, an element is None, so that the others keep their places."""
    step, rest = path[0], path[1:]
    match value:
        case dict() if not rest:
            return {key: each for key, each in value.items() if step is not None and key != step}
        case dict():
            return {key: without(each, rest) if step in (None, key) else each for key, each in value.items()}
        case list():
            return [
                each if step not in (None, at) else without(each, rest) if rest else None
                for at, each in enumerate(value)
            ]
        case _:
            return value
