"""Who of several keeps to whom? Rendezvous hashing: everybody has a number for each key, and the greatest has it.

One that comes takes only the keys it is greatest for, one that goes leaves only its own; nothing else moves. All planes
on all machines find the same without talking to each other. Pure.
"""

import math
from collections.abc import Sequence
from hashlib import blake2b

_MASK = 2**64 - 1
_HALF = 0.5 / 2**64


def hash_of(text: bytes) -> int:
    """64 bits, the same in every process."""
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def heaviest(key: int, hashes: Sequence[int], weights: Sequence[int]) -> int | None:
    """Which of those with these weights the key belongs to, in proportion over many keys; None where all are 0.

    A weight that grows only draws keys, one that shrinks only loses some.
    """
    best, most = None, -math.inf
    for at, (name, weight) in enumerate(zip(hashes, weights, strict=True)):
        if weight:
            # The k-th power of a uniform number is the greatest of k such numbers: as if it had `weight` names.
            score = math.log(_mix(key ^ name) / 2**64 + _HALF) / weight
            if score > most:
                best, most = at, score
    return best


def in_turn(key: int, hashes: Sequence[int]) -> list[int]:
    """The order in which they have a claim to the key."""
    scores = [_mix(key ^ name) for name in hashes]
    return sorted(range(len(scores)), key=scores.__getitem__, reverse=True)


def _mix(number: int) -> int:
    """Spreads a number over 64 bits: the last steps of the public splitmix64."""
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
