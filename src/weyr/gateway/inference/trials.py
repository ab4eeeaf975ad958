"""How did a replica do with a request, and what follows where it is silent or the caller has used up a limit?"""

import time
from typing import TYPE_CHECKING

from weyr.gateway.inference.refusals import broken_off

if TYPE_CHECKING:
    from weyr.gateway.inference.attempt import Attempt
    from weyr.gateway.inference.exchange import Exchange


def blame(attempt: "Attempt") -> None:
    """The replica failed this request."""
    replica, endpoint = attempt.replica, attempt.exchange.endpoint
    if attempt.under_way and endpoint is not None and attempt.sent_at:
        replica.did_badly(endpoint.limits.ejection, replica.version.replicas, time.monotonic())


def praise(attempt: "Attempt") -> None:
    """The replica answered this request."""
    endpoint = attempt.exchange.endpoint
    assert endpoint is not None
    took_s = time.monotonic() - attempt.sent_at
    endpoint.waiting.served(took_s)
    if attempt.replica.did_well(took_s):
        endpoint.waiting.let_in()


def check_silence(exchange: "Exchange", silent_s: float, answer_s: float) -> None:
    """Ends a request whose replica has said nothing for too long; `answer_s` is the plane's own bound."""
    assert exchange.endpoint is not None
    times = exchange.endpoint.limits.timeouts
    bound_s = (times.between_s if exchange.has_answer else times.first_byte_s) or answer_s
    if silent_s <= bound_s:
        return
    attempt = exchange.attempt
    assert attempt is not None
    blame(attempt)
    line = attempt.line
    if not exchange.has_answer and exchange.tries_another():
        if line is not None:
            line.drop()
        return
    exchange.refuse(504, f"the replica was silent for {bound_s:g} s")


def break_off(exchange: "Exchange", limit: str) -> None:
    """A limit is used up while a stream passes: it ends with an event that says so."""
    attempt, stream = exchange.attempt, exchange.stream
    assert attempt is not None
    assert stream is not None
    event = broken_off(exchange.path, f"{exchange.caller} has used up {limit}")
    if stream.is_chunked:
        event = b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event)
    exchange.door.transport.write(event)
    attempt.drop()
    if exchange.endpoint is not None:
        exchange.endpoint.cut += 1
    exchange.over(429)
    exchange.door.finished(exchange, closes=not (exchange.is_whole and stream.is_chunked))
