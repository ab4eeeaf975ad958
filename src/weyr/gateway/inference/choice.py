"""Which version does a request go to? Forced by its own header, by a rule, by whom it belongs to, or by weight.

Only the last of these depends on what came before; the rest is the same in every plane.
"""

import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from weyr.core.routes import Rule, Sticky, Traffic
from weyr.gateway.inference.affinity import hash_of, heaviest
from weyr.gateway.inference.asked import Asked, cookie_of, header_of
from weyr.gateway.inference.shares import Shares

VERSION_HEADER = b"weyr-version"
"""The header that names a version: of a request, where the route lets it; of an answer, who gave it."""


class Choice(NamedTuple):
    """A version's position; `is_forced` where no other will do. `cookie` is to be set with the answer."""

    at: int
    is_forced: bool = False
    cookie: bytes = b""


class UnknownVersion(LookupError):
    """A request names a version that its route has not."""


class Chooser:
    """Chooses among the versions of one route, given in order of their weights, the heaviest first."""

    def __init__(self, route: str, names: Sequence[str], weights: Sequence[int], traffic: Traffic) -> None:
        self._at = {name: at for at, name in enumerate(names)}
        self._shares = Shares(weights)
        self._turns = tuple(map(Choice, range(len(names))))
        self._is_forcible = traffic.is_forcible
        self._rules = [(_matcher(rule), Choice(self._at[rule.version])) for rule in traffic.rules]
        self._unit = _unit(traffic.sticky, route) if traffic.sticky else None
        hashes = [hash_of(f"{route}\n{name}".encode()) for name in names]
        self._version_of = lru_cache(maxsize=4096)(lambda unit: heaviest(hash_of(unit), hashes, weights))

    def choose(self, asked: Asked) -> Choice | None:
        """None where no version has a weight. Raises: UnknownVersion."""
        if self._is_forcible and (name := header_of(asked.fields, VERSION_HEADER)) is not None:
            return Choice(self._named(name), is_forced=True)
        for holds, choice in self._rules:
            if holds(asked):
                return choice
        if self._unit is not None:
            unit, cookie = self._unit(asked)
            if unit is not None:
                at = self._version_of(unit)
                return None if at is None else Choice(at, cookie=cookie)
        turn = self._shares.next()
        return None if turn is None else self._turns[turn]

    def kept_at(self, asked: Asked) -> int | None:
        """The version that the request's caller is kept with, None where it is kept nowhere."""
        unit, cookie = self._unit(asked) if self._unit is not None else (None, b"")
        return None if unit is None or cookie else self._version_of(unit)

    def _named(self, name: bytes) -> int:
        at = self._at.get(name.decode("latin-1"))
        if at is None:
            raise UnknownVersion(f"the endpoint has no such version; it has {', '.join(self._at)}")
        return at


def _matcher(rule: Rule) -> Callable[[Asked], bool]:
    headers = [(name.lower().encode(), value.encode()) for name, value in rule.headers]
    cookies = [(name.encode(), value.encode()) for name, value in rule.cookies]
    exact = frozenset(name for name in rule.callers if not name.endswith("*"))
    prefixes = tuple(name[:-1] for name in rule.callers if name.endswith("*"))

    def holds(asked: Asked) -> bool:
        # Every request of its route comes by here: loops, because generators cost more than what they find out.
        if rule.callers and asked.caller not in exact and not asked.caller.startswith(prefixes):
            return False
        for name, value in headers:
            found = header_of(asked.fields, name)
            if found is None or value not in (b"*", found):
                return False
        for name, value in cookies:
            found = cookie_of(asked.fields, name)
            if found is None or value not in (b"*", found):
                return False
        return True

    return holds


def _unit(sticky: Sticky, route: str) -> Callable[[Asked], tuple[bytes | None, bytes]]:
    """What gives whoever stays with one version, and the cookie that has to be set for it."""
    name = sticky.name.encode()
    if sticky.by == "caller":
        return lambda asked: (asked.caller.encode(), b"")
    if sticky.by == "header":
        return lambda asked: (header_of(asked.fields, name.lower()), b"")
    rest = f"; Path=/{route}; Max-Age={sticky.max_age_s:.0f}; HttpOnly; SameSite=Lax\r\n".encode()

    def by_cookie(asked: Asked) -> tuple[bytes | None, bytes]:
        if visitor := cookie_of(asked.fields, name):
            return visitor, b""
        # Who it stands for is nobody's business, and which version follows from it is not to be read off it.
        visitor = secrets.token_hex(12).encode()
        return visitor, b"set-cookie: %b=%b%b" % (name, visitor, rest)

    return by_cookie
