"""Which replica has this prompt's beginning, or this session, warm? A key of the request, and whose key it is.

The beginning of a prompt is found in the body's bytes without reading them as JSON: what is alike begins alike.
"""

import math
import re
from collections.abc import Callable, Sequence

from weyr.core.routes import Balance
from weyr.gateway.inference.affinity import hash_of, in_turn
from weyr.gateway.inference.asked import Asked, cookie_of, header_of
from weyr.gateway.inference.replica import Replica

_BEGINNINGS = (b'"messages"', b'"prompt"', b'"input"')
_USER = re.compile(rb'(?<!\\)"user"\s*:\s*"((?:[^"\\]|\\.)*)"')
"""A field, not the value of one: within texts of JSON every quote has a backslash before it."""


class Keeper:
    """The replicas of one version, each with its claim to keys. What is warm stays warm while others come and go."""

    def __init__(self, balance: Balance, replicas: Sequence[Replica]) -> None:
        self._key_of = _key_of(balance)
        self._overload = balance.overload
        self._replicas = replicas
        self._hashes = [hash_of(replica.address.id.encode()) for replica in replicas]

    def pick(self, now: float, asked: Asked, per_replica: int = 0) -> Replica | None:
        """The first with a claim to the request that is up and not overloaded; None where the request has no key.

        Nobody gets more than `overload` times the mean: one prompt that all begin with must not fill one replica and
        leave the rest idle.
        """
        key = self._key_of(asked)
        if key is None:
            return None
        up = [replica for replica in self._replicas if replica.down_until <= now]
        if not up:
            return None
        most: float = math.ceil(self._overload * (sum(replica.inflight for replica in up) + 1) / len(up))
        most = min(most, per_replica or math.inf)
        for at in in_turn(key, self._hashes):
            replica = self._replicas[at]
            if replica.inflight < most and replica.down_until <= now:
                return replica
        return None


def reads_bodies(balance: Balance) -> bool:
    """Whether the key stands in the body."""
    return balance.by == "prefix" or (balance.by == "session" and not (balance.header or balance.cookie))


def _key_of(balance: Balance) -> Callable[[Asked], int | None]:
    header, cookie = balance.header.lower().encode(), balance.cookie.encode()

    def by_prefix(asked: Asked) -> int | None:
        body = asked.kept
        if not body:
            return None
        at = next((found for word in _BEGINNINGS if (found := body.find(word)) >= 0), 0)
        return hash_of(bytes(body[at : at + balance.prefix_bytes]))

    def by_session(asked: Asked) -> int | None:
        if header:
            named = header_of(asked.fields, header)
        elif cookie:
            named = cookie_of(asked.fields, cookie)
        else:
            found = _USER.search(asked.kept or b"")
            named = found[1] if found else None
        return hash_of(named) if named else None

    return by_prefix if balance.by == "prefix" else by_session
