"""Which values of a spec might be secrets? Their fields' names tell; such values are never shown."""

import re

from weyr.stack.stack import Path

MASK = "(hidden)"

_NAMES = re.compile(
    r"(^|[_.-])(pass(word|wd|phrase)?|secret|token|credentials?|private|api[_-]?key|access[_-]?key|auth|webhook|dsn)"
    r"([_.-]|$)|(_|-)key$|connection[_-]?string",
    re.IGNORECASE,
)


def is_sensitive(path: Path) -> bool:
    """Whether the value at a path is shown as a mask: `env.API_KEY` and `webhook` are.

    A reference to a secret is only its name, and the fields that hold those are not masked.
    """
    if path[:1] in (("secrets",), ("secret_files",)):
        return False
    return any(isinstance(part, str) and _NAMES.search(part) for part in path[-1:])
