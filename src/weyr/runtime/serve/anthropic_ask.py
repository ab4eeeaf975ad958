"""What does a caller of Anthropic's messages ask? Read strictly: what cannot be honoured is refused by its name. Pure.

Source: Anthropic's API reference: messages (2025-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weyr.runtime.serve.language import Message, Sampling
from weyr.runtime.serve.openai_ask import Refused, read_flag, read_integer, read_number, read_stops

KNOWN = frozenset({"max_tokens", "messages", "model", "stop_sequences", "stream", "system", "temperature", "top_p"})
HARMLESS = frozenset({"metadata", "service_tier"})
NO_EFFECT: Mapping[str, object] = {"tools": [], "thinking": {"type": "disabled"}}
"""What the models here do not do. This value of it asks for nothing, so it is taken."""


@dataclass(frozen=True, slots=True)
class AskedMessage:
    """A conversation to answer."""

    model: str
    turns: tuple[Message, ...]
    sampling: Sampling
    is_stream: bool


def read_messages(plain: Mapping[str, Any], is_counted: bool = False) -> AskedMessage:
    """Takes `is_counted` where the tokens are only to be counted, and none is asked for. Raises: Refused."""
    given = {name: value for name, value in plain.items() if value is not None}
    for name, value in given.items():
        if name not in KNOWN and name not in HARMLESS and NO_EFFECT.get(name, NO_EFFECT) != value:
            raise Refused(f"{name}: it cannot be honoured by the models served here")
    if not isinstance(given.get("model"), str):
        raise Refused("model: it is missing; GET /v1/models lists what is served")
    if "max_tokens" not in given and not is_counted:
        raise Refused("max_tokens: it is missing; say how long the answer may be")
    sampling = Sampling(
        tokens_max=read_integer(given["max_tokens"], "max_tokens", 1) if "max_tokens" in given else None,
        temperature=read_number(given.get("temperature", 1.0), "temperature", 0.0, 1.0),
        top_p=read_number(given.get("top_p", 1.0), "top_p", 0.0, 1.0),
        stops=read_stops(given.get("stop_sequences")),
    )
    return AskedMessage(given["model"], _turns(given), sampling, read_flag(given.get("stream", False), "stream"))


def _turns(given: Mapping[str, Any]) -> tuple[Message, ...]:
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: it is missing; it is a list of turns")
    turns = [Message("system", _text(given["system"], "system"))] if "system" in given else []
    for at, item in enumerate(messages):
        if not isinstance(item, dict) or item.get("role") not in ("user", "assistant"):
            raise Refused(f"messages.{at}.role: it is user or assistant")
        turns.append(Message(item["role"], _text(item.get("content"), f"messages.{at}.content")))
    if turns[-1].role != "user":
        raise Refused("messages: the last turn is the user's; to go on with a begun answer cannot be honoured here")
    return tuple(turns)


def _text(content: object, at: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise Refused(f"{at}: it is a text or a list of blocks")
    for block in content:
        if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
            raise Refused(f"{at}: the models served here take text only")
    return "".join(block["text"] for block in content)
