"""What does a caller report of an answer it got? A number, for the version that gave it."""

import json
import math
from typing import TYPE_CHECKING, NamedTuple

from weyr.gateway.inference.choice import UnknownVersion
from weyr.wire.message import answer

if TYPE_CHECKING:
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange

PATH = b"POST /feedback "
"""How the head of such a request begins, once the endpoint's name is off its path."""
BODY_MAX = 64 * 2**10


class Outcome(NamedTuple):
    """`version` is "" where the caller leaves it to the plane, which knows whom it keeps where."""

    value: float
    version: str


def outcome_of(body: bytes) -> Outcome:
    """Reads `{"value": 1, "version": "4"}`. Raises: ValueError with a sentence."""
    try:
        told = json.loads(body)
    except ValueError as e:
        raise ValueError(f"this is not JSON: {e}") from e
    value = told.get("value") if isinstance(told, dict) else None
    if isinstance(value, bool) and isinstance(told, dict):
        value = float(value)
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e12:
        raise ValueError('send an object with a number, such as {"value": 1}')
    version = told.get("version", "")
    if not isinstance(version, str):
        raise ValueError('"version" is a text: the weyr-version of the answer')
    return Outcome(float(value), version)


def take_report(exchange: "Exchange", endpoint: "Endpoint") -> None:
    """Answers a report, and counts it."""
    if not exchange.is_whole or exchange.kept is None or len(exchange.kept) > BODY_MAX:
        exchange.refuse(413, f"what is reported of an answer has at most {BODY_MAX} bytes")
        return
    try:
        name = endpoint.reported(outcome_of(bytes(exchange.kept)), exchange)
    except (ValueError, UnknownVersion) as e:
        exchange.refuse(400, str(e))
        return
    exchange.reply(200, answer({"version": name}))
