"""Who answers where a route's own replicas cannot? The next in its chain: another version, another route, or a server
elsewhere. Tried before a byte of an answer went to the caller, and never afterwards.

A request may so be sent more than once, also one that changes something: who writes a fallback into the file says that
this is better than no answer.
"""

import time
from typing import TYPE_CHECKING

from weyr.core.routes import Balance, Fallback, RouteVersion
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.trials import blame
from weyr.gateway.inference.upstream import Upstream
from weyr.gateway.inference.version import Version

if TYPE_CHECKING:
    from weyr.gateway.inference.counts import Counts
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange

BY = b"weyr-answered-by"
"""The header that says which of the chain gave an answer."""
FAILURES = frozenset({429, 500, 502, 503, 504})


class Step:
    """One of a chain. `upstream` and its `version` are there for a server elsewhere."""

    def __init__(self, told: Fallback, counts: "Counts | None", route: str) -> None:
        self.told = told
        self.taken = 0
        """Requests that it was sent, whatever came of them."""
        self.says = BY + f": {told.name}\r\n".encode()
        self.upstream = Upstream(told, route) if told.url else None
        self._version: Version | None = None
        if self.upstream is not None and counts is not None:
            address = f"{self.upstream.host}:{self.upstream.port}"
            self._version = Version(RouteVersion(told.name, told.model, 0, ((told.name, address),)), counts, Balance())
            self._version.connect_s = told.first_byte_s
            self._version.replicas[0].upstream = self.upstream

    def take(self, exchange: "Exchange", endpoint: "Endpoint") -> "tuple[Replica, Endpoint, bytes] | None":
        """Who answers, whose replica that is, and the whole request as it is sent there; None where it cannot answer
        this one now."""
        now, plane, host = time.monotonic(), exchange.door.plane, endpoint
        body = bytes(exchange.kept or b"")
        if self.upstream is not None and self._version is not None:
            replica = self._version.pick(now, exchange)
            if replica is None or not self.upstream.has_money(plane.tally):
                return None
            try:
                path = exchange.head.split(b" ", 2)[1]
                request = self.upstream.request(exchange.method, path, tuple(exchange.fields), body)
            except OSError:
                return None  # its key is not there
            return None if request is None else (replica, host, request)
        if self.told.route:
            other = plane.table.by_prefix.get(self.told.route.encode())
            if other is None:
                return None
            other.last_request_at = time.time()
            host = other
            replica = other.pick(now, exchange)
        else:
            replica = endpoint.pick_of(self.told.version, now, exchange)
        return None if replica is None else (replica, host, whole(exchange.head, body, exchange.is_chunked))


def falls_back(exchange: "Exchange", status: int) -> bool:
    """Whether the next of the chain takes a request that got `status`, or would. Nothing of an answer is out yet."""
    endpoint = exchange.endpoint
    if endpoint is None or not endpoint.chain or exchange.has_answer or exchange.upgrades:
        return False
    if not exchange.is_whole or exchange.kept is None:
        return False
    while exchange.step < len(endpoint.chain):
        step = endpoint.chain[exchange.step]
        exchange.step += 1
        taken = step.take(exchange, endpoint)
        if taken is None:
            continue
        step.taken += 1
        _let_go(exchange, status)
        exchange.adds = step.says
        exchange.send_anew(*taken)
        return True
    return False


def lose_patience(exchange: "Exchange") -> None:
    """Whoever was asked has been silent for too long."""
    exchange.patience = None
    falls_back(exchange, 504)


def whole(head: bytes, body: bytes, is_chunked: bool) -> bytes:
    """A request with its body framed as its head says."""
    if is_chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return head + body


def _let_go(exchange: "Exchange", status: int) -> None:
    """Leaves whoever had the request. That it failed there is counted there: a fallback hides no canary's errors."""
    attempt = exchange.attempt
    if attempt is None:
        return
    now = time.monotonic()
    if attempt.line is not None:
        blame(attempt)
        attempt.drop()
    if attempt.under_way and attempt.sent_at:
        attempt.replica.version.counts.answered(status, now - exchange.began_at)
    attempt.leave(now)
