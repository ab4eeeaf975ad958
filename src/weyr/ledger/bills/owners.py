"""Whose is a row of a bill? By its tags, by the resource's id, or as a person says. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME, Ref, ThingId
from weyr.ledger.bills.bill import Resource

PART_CHARS_MIN = 6
"""A shorter name of a part, such as an attempt's number, is no resource's id."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """`i-08*=digits:pool/gpu`, or `tag:app=chat*=digits:endpoint/chat`: whose a resource is that says it nowhere."""

    pattern: str
    tag: str
    ref: Ref

    @classmethod
    def parse(cls, text: str) -> "Mapped":
        """Raises: UserError."""
        pattern, _, named = text.rpartition("=")
        tag, told = "", pattern
        if pattern.startswith("tag:"):
            tag, _, told = pattern.removeprefix("tag:").partition("=")
        stack, colon, rest = named.partition(":")
        try:
            ref = Ref.parse(rest, stack)
            if told and colon and NAME.fullmatch(stack) and (tag or not pattern.startswith("tag:")):
                return cls(told, tag, ref)
        except ValueError:
            pass
        detail = (
            f'"{text}" says not whose a resource is: it is written RESOURCE=STACK:KIND/NAME, * stands for anything.'
        )
        raise UserError(Diagnostic("Not an owner", detail, suggestion='--map "i-08*=digits:pool/gpu"'))

    def has(self, resource: Resource) -> bool:
        told = dict(resource.tags).get(self.tag, "") if self.tag else resource.id
        return bool(told) and fnmatchcase(told, self.pattern)


class Owners:
    """Knows every object and thing that the journal has, and says whose a resource is."""

    def __init__(self, things: Iterable[ThingId], mapped: Sequence[Mapped] = (), rest: Ref | None = None) -> None:
        """`rest` has what is nobody's; None: it stays nobody's."""
        self._mapped, self._rest = mapped, rest
        self._by_id = _by_id(things)
        self._known: dict[Resource, Ref | None] = {}

    def of(self, resource: Resource) -> Ref | None:
        """Whose it is, or who has what is nobody's."""
        return self.known(resource) or self._rest

    def known(self, resource: Resource) -> Ref | None:
        """A person's word first, then the tags that Weyr gives, then the id."""
        if resource not in self._known:
            mapped = next((each.ref for each in self._mapped if each.has(resource)), None)
            self._known[resource] = mapped or _tagged(resource) or self._named(resource.id)
        return self._known[resource]

    def _named(self, id: str) -> Ref | None:
        """By the whole id, by its last word (`arn:aws:ec2:us-east-1:1:instance/i-081f` is `i-081f`), or as a thing of
        an object: `digits:job/train#3` is `digits:job/train`'s."""
        told = (id, re.split(r"[/:]", id)[-1], id.partition("#")[0]) if id else ()
        return next((ref for each in told if (ref := self._by_id.get(each))), None)


def _tagged(resource: Resource) -> Ref | None:
    """Providers allow different characters in a key: `weyr:stack` is `weyr_stack` or `weyr-stack` elsewhere."""
    found = {re.sub(r"[^a-z]+", "_", key.lower()): value for key, value in resource.tags}
    told = [found.get(f"weyr_{name}", "") for name in ("stack", "kind", "name")]
    return Ref(*told) if all(told) else None


def _by_id(things: Iterable[ThingId]) -> Mapping[str, Ref]:
    """Objects by what could be a resource's id. A part that two objects have is neither's."""
    found: dict[str, Ref] = {}
    double: set[str] = set()
    for thing in things:
        found[thing.ref.absolute] = found[str(thing)] = thing.ref
        if len(thing.part) >= PART_CHARS_MIN and found.setdefault(thing.part, thing.ref) != thing.ref:
            double.add(thing.part)
    return {id: ref for id, ref in found.items() if id not in double}
