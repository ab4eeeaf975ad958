"""What was asked of each route since it is there? Answers, tokens, money and bytes, which no kill of the plane loses.

Every process counts in memory that the kernel keeps (`weyr.wire.counters`), and the engine adds up what all of them
counted. Only what a power cut may take is kept by us, once a second.
"""

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from weyr.wire.counters import Counter, Counters

if TYPE_CHECKING:
    from weyr.gateway.inference.attempt import Attempt
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange

KEEP_EVERY_S = 1.0
ANSWERS, TOKENS_IN, TOKENS_OUT, OUTSIDE, LOCAL, FAR = range(6)
"""The cells of a route's counter: the fields of RouteUse after `since`, in their order."""
_ABOUT = (b"/v2/repository/", b"/tokenize", b"/detokenize")
"""What is posted to a model server and is no question to a model."""


class Uses:
    """The uses of all routes. Takes the folder that the plane's processes share; without one nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._counters = Counters(folder)
        self._kept = 0

    def of(self, thing: str, since: float) -> Counter:
        """The counter of a route that came."""
        return self._counters.of(thing, since)

    async def run(self, endpoints: "Callable[[], Iterable[Endpoint]]") -> None:
        """Has the disk take what is counted, again and again."""
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            await self.keep(endpoints())

    async def keep(self, endpoints: "Iterable[Endpoint]") -> None:
        """Once."""
        counted = sum(sum(endpoint.counter.cells) for endpoint in endpoints)
        if counted == self._kept:
            return
        self._kept = counted
        self._counters.house()
        await asyncio.to_thread(self._counters.keep)


def count(exchange: "Exchange", endpoint: "Endpoint", attempt: "Attempt", status: int) -> None:
    """Counts an answer: before its last byte goes to the caller, or when it is over without that.

    Bytes are counted as they go, since an answer may take hours.
    """
    exchange.is_counted = True
    cells = endpoint.counter.cells
    if exchange.stream is not None:
        exchange.tokens = read, written = exchange.stream.tokens()
        cells[TOKENS_IN] += read
        cells[TOKENS_OUT] += written
        upstream = attempt.replica.upstream
        if upstream is not None and attempt.under_way:
            upstream.paid(exchange.door.plane.tally, exchange.tokens)
            cells[OUTSIDE] += upstream.take_micros()
    if attempt.sent_at and is_answered(exchange.method, exchange.path, status, endpoint.route.body.is_model):
        exchange.is_prediction = True
        cells[ANSWERS] += 1


def side_of(exchange: "Exchange") -> int:
    """Where bytes to a caller count: whether he is on this machine, as far as that is known."""
    if exchange.door.is_far:
        return FAR
    return LOCAL if exchange.forwarded is None or is_asked_from_here(exchange.forwarded) else FAR


def is_answered(method: bytes, path: bytes, status: int, is_model: bool) -> bool:
    """Whether a replica's answer counts as one, for what unit costs are made from: it did what was asked.

    Of models only questions to them count, and not what is asked about them: in every protocol those are posted.
    """
    if not is_model:
        return 200 <= status < 400
    return 200 <= status < 300 and method == b"POST" and not path.startswith(_ABOUT)


def is_here(peer: str, own: str) -> bool:
    """Whether a peer is on this machine: over a Unix socket, the loopback, or the address that it asked (`own`)."""
    if not peer or peer == own:
        return True
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_asked_from_here(forwarded: bytes) -> bool:
    """Whether a proxy on this machine asks for somebody who is on it, too: whoever its `X-Forwarded-For` names."""
    return all(is_here(_bare(name.strip()), "") for name in forwarded.decode("latin-1").split(","))


def _bare(address: str) -> str:
    """An address without its port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
