"""What is put aside of a request's body, and how much of it must be there before the request can go its way?"""

from typing import TYPE_CHECKING

from weyr.gateway.inference.outcome import take_report
from weyr.gateway.inference.shadow import copy_of

if TYPE_CHECKING:
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange

HOLD_MAX = 256 * 2**10
"""How much of a body is held while no replica takes it."""
ASIDE_MAX = 2 * 2**20
"""How much of a body is put aside where something else is to be done with it; of a longer one nothing is."""


def begin(exchange: "Exchange", endpoint: "Endpoint") -> None:
    """From here on each piece of the body is put aside, where it is needed for this request; the request waits for it
    where its way depends on it."""
    if endpoint.shadows:
        exchange.copy = copy_of(endpoint.shadows)
        if exchange.copy is None and not endpoint.needs_bodies:
            return
    exchange.kept = bytearray()
    for piece in exchange.pieces[1::3] if exchange.is_chunked else exchange.pieces:
        keep(exchange, piece)
    if endpoint.reads_bodies or endpoint.takes(exchange):
        gather(exchange)


def gather(exchange: "Exchange") -> None:
    """From here on it goes no further until its body is whole."""
    exchange.is_gathering = True
    if exchange.expects and not exchange.received:
        exchange.expects = False
        exchange.door.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def can_gather(exchange: "Exchange") -> bool:
    """Whether there is still room for all of its body."""
    return exchange.kept is not None and exchange.buffered <= HOLD_MAX and not exchange.is_gathering


def keep(exchange: "Exchange", piece: bytes) -> None:
    """Puts a piece of the body aside, without its framing."""
    if exchange.kept is not None:
        exchange.kept += piece
        if len(exchange.kept) > ASIDE_MAX:
            exchange.kept = None


def is_taken(exchange: "Exchange", endpoint: "Endpoint") -> bool:
    """Whether the request goes no further for now: it waits for its body, or was answered here."""
    if not exchange.is_whole and exchange.buffered <= HOLD_MAX:
        return True
    exchange.is_gathering = False
    if endpoint.takes(exchange):
        take_report(exchange, endpoint)
        return True
    return False
