"""What is to be done, so that the target has what the source has? Pure: two lists in, one plan out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weyr.transfer.entries import Entry


@dataclass(frozen=True, slots=True)
class Plan:
    """What to copy, what is the same already, and what the target has too much."""

    copies: tuple[Entry, ...]
    same: int
    deletes: tuple[str, ...]


def plan_of(sources: Iterable[Entry], targets: Mapping[str, Entry], deletes: bool) -> Plan:
    """`deletes`: whether what the source does not have is to go."""
    copies: list[Entry] = []
    same, named = 0, set[str]()
    for source in sources:
        named.add(source.path)
        if is_same(source, targets.get(source.path)):
            same += 1
        else:
            copies.append(source)
    surplus = sorted(targets.keys() - named) if deletes else ()
    return Plan(tuple(copies), same, tuple(surplus))


def is_same(source: Entry, target: Entry | None) -> bool:
    """Whether the target need not be copied anew: as large, and not older. Two objects are compared by etag first."""
    if target is None or source.size != target.size:
        return False
    if source.etag and source.etag == target.etag:
        return True
    return target.modified_s >= source.modified_s
