"""What is a thing called? One frozen address per object, with one printed form everywhere."""

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""Names become parts of bucket names, URLs and folders, so the narrowest of their rules holds for all."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The address of one object of a stack: prints as `job/train`, absolute as `digits:job/train`."""

    stack: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def absolute(self) -> str:
        return f"{self.stack}:{self.kind}/{self.name}"

    @classmethod
    def parse(cls, text: str, stack: str = "") -> "Ref":
        """Reads both printed forms; a relative one belongs to `stack`.

        Raises: ValueError where the text is neither `kind/name` nor `stack:kind/name`.
        """
        prefix, colon, rest = text.rpartition(":")
        kind, slash, name = rest.partition("/")
        if not slash or not kind or not name or (colon and not prefix):
            raise ValueError(f"{text!r} is not an address; write kind/name, such as job/train")
        return cls(prefix or stack, kind, name)


@dataclass(frozen=True, slots=True, order=True)
class ThingId:
    """One thing that an engine holds for an object: an attempt, a replica, a bucket.

    `part` tells the things of one object apart (`digits:job/train#2` is attempt 2); it is
    empty where an object has only one thing.
    """

    ref: Ref
    part: str = ""

    def __str__(self) -> str:
        return f"{self.ref.absolute}#{self.part}" if self.part else self.ref.absolute

    @classmethod
    def parse(cls, text: str) -> "ThingId":
        """Reads the printed form. Raises: ValueError."""
        ref, _, part = text.partition("#")
        parsed = Ref.parse(ref)
        if not parsed.stack:
            raise ValueError(f"{text!r} does not name its stack")
        return cls(parsed, part)
