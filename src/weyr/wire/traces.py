"""Which trace does a request belong to, and what is told of it? W3C's traceparent, and spans as plain values."""

import os
import random
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

TRACEPARENT = b"traceparent"
# Version 00 and what later ones keep of it; ids of zeros only are no ids.
_FORM = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_CHANCE = random.Random(os.urandom(16))
"""Ids need to differ, not to be secret; the system's own source would cost a call of the kernel each."""

Value = str | int | float


class Context(NamedTuple):
    """Where in which trace somebody is: ids in lower-case hexadecimal, 32 and 16 digits."""

    trace: str
    span: str

    def header(self) -> bytes:
        """The value of `traceparent` that says so to the next hop: sampled."""
        return f"00-{self.trace}-{self.span}-01".encode()


Kind = Literal[1, 2, 3]
INTERNAL: Kind = 1
SERVER: Kind = 2
CLIENT: Kind = 3


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work that is over. Times are Unix seconds; `parent` is a span's id, "" for the first of a trace."""

    name: str
    context: Context
    parent: str
    began_at: float
    ended_at: float
    kind: Kind = INTERNAL
    attributes: tuple[tuple[str, Value], ...] = ()
    links: tuple[Context, ...] = ()
    problem: str = ""

    def spans(self) -> "tuple[Span]":
        """Itself: what is told of may also be several spans that are made only when they are sent."""
        return (self,)


def read_traceparent(value: bytes) -> tuple[Context, bool] | None:
    """The caller's context, and whether it is sampled. None where there is none that can be read: a new one begins."""
    found = _FORM.fullmatch(value.strip())
    if found is None or (found[1] == b"00" and found[5]):
        return None
    return Context(found[2].decode(), found[3].decode()), bool(int(found[4], 16) & 1)


def new_span_id() -> str:
    return f"{_CHANCE.getrandbits(64) or 1:016x}"


def new_trace(sample: float) -> Context | None:
    """A trace of our own for the share `sample` of requests, None for the others. Its span is nobody's yet."""
    if _CHANCE.random() >= sample:
        return None
    return Context(f"{_CHANCE.getrandbits(128) or 1:032x}", "")


def joined(value: bytes | None, sample: float) -> Context | None:
    """The trace that a request is told of in, None where it is not told of.

    The caller's own where it sends one, if it is sampled; else a new one for the share `sample`. Gives the context
    that our first span is below: its span is "" where we begin.
    """
    found = read_traceparent(value) if value else None
    if found is None:
        return new_trace(sample)
    context, is_sampled = found
    return context if is_sampled else None
