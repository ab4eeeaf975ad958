"""How do values cross between the processes of a plane? Built anew from their fields by their constructor.

As dataclasses do it themselves, a PUT's operation and its answer take 40 us instead of 27 (measured 2026-11).
"""

from typing import Any


class Value:
    """The base of frozen dataclasses with slots that travel."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type["Value"], tuple[Any, ...]]:
        fields: tuple[str, ...] = self.__slots__
        return type(self), tuple([getattr(self, name) for name in fields])
