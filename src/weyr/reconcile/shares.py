"""How are things of several engines asked for at once? Each engine for its own, so that a silent one harms no other."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from weyr.core.capability import Answers, Provider, Refused, Wanted
from weyr.core.diagnostic import EngineSilent, UserError
from weyr.core.ref import ThingId
from weyr.core.seen import Seen, Unknown

K = TypeVar("K")
Shares = Mapping[K, Sequence[ThingId]]
"""By engine, the things that it has."""
Engine = Callable[[K], Provider]
"""The engine of a key. Raises: UserError where there is none, EngineSilent."""


def observe(shares: Shares[K], engine: Engine[K]) -> dict[ThingId, Seen]:
    seen: dict[ThingId, Seen] = {}
    for key, mine in shares.items():
        try:
            seen |= engine(key).observe(mine)
        except (EngineSilent, UserError) as e:
            seen |= dict.fromkeys(mine, Unknown(_said(e)))
    return seen


def ensure(shares: Shares[K], engine: Engine[K], wanted: Sequence[Wanted]) -> Answers:
    answers: dict[ThingId, Refused | Unknown] = {}
    for key, mine in shares.items():
        ids = set(mine)
        try:
            answers |= engine(key).ensure([want for want in wanted if want.id in ids])
        except EngineSilent as e:
            answers |= dict.fromkeys(mine, Unknown(str(e)))
        except UserError as e:
            answers |= dict.fromkeys(mine, Refused(_said(e)))
    return answers


def release(shares: Shares[K], engine: Engine[K]) -> Answers:
    answers: dict[ThingId, Refused | Unknown] = {}
    for key, mine in shares.items():
        try:
            answers |= engine(key).release(mine)
        except (EngineSilent, UserError) as e:
            answers |= dict.fromkeys(mine, Unknown(_said(e)))
    return answers


def _said(error: EngineSilent | UserError) -> str:
    return error.diagnostics[0].detail if isinstance(error, UserError) else str(error)
