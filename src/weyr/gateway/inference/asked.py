"""What does a request's head say that its way depends on? Read only where a route asks for it."""

from collections.abc import Sequence
from typing import Protocol


class Asked(Protocol):
    """A request as routing sees it. `fields` are its headers, four words each: name, colon, value, end of line; `kept`
    is what there is of its body, None where nobody wanted it or it is too long."""

    @property
    def fields(self) -> Sequence[bytes]: ...
    @property
    def caller(self) -> str: ...
    @property
    def kept(self) -> bytearray | None: ...


def header_of(fields: Sequence[bytes], name: bytes) -> bytes | None:
    """The value of the first header called so; `name` in small letters."""
    for at in range(0, len(fields), 4):
        if fields[at].lower() == name:
            return fields[at + 2]
    return None


def cookie_of(fields: Sequence[bytes], name: bytes) -> bytes | None:
    """The value of the first cookie called so."""
    for at in range(0, len(fields), 4):
        if fields[at].lower() != b"cookie":
            continue
        for pair in fields[at + 2].split(b";"):
            key, _, value = pair.strip().partition(b"=")
            if key == name:
                return value
    return None
