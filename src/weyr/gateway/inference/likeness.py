"""Do two answers say the same? Byte for byte, or as JSON but for what only names an answer. Pure.

Who answered, when, and under which number is no difference: OpenAI's protocol has a new `id` in each answer, and the
Open Inference Protocol the version. A stream is what its events add up to, wherever the server cuts them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from weyr.core.json_paths import Path, path_of, without

OPENAI = ("id", "created", "model", "system_fingerprint", "service_tier", "choices[*].message.tool_calls[*].id")
V2 = ("id", "model_name", "model_version")
NAMES = {words: tuple(map(path_of, words)) for words in (OPENAI, V2)}


class Answer(NamedTuple):
    """A whole answer, its body without framing, and how long it took."""

    status: int
    body: bytes
    took_s: float


class Likeness(NamedTuple):
    """Numbers within `tolerance` of the larger are alike, and whatever stands at `ignore`."""

    tolerance: float = 0.0
    ignore: tuple[Path, ...] = ()

    @classmethod
    def of(cls, tolerance: float, ignore: Iterable[str]) -> "Likeness":
        """Raises: ValueError where a path is none."""
        return cls(tolerance, tuple(map(path_of, ignore)))

    def holds(self, one: Answer, other: Answer) -> bool:
        if one.status != other.status:
            return False
        if one.body == other.body:
            return True
        try:
            return _alike(self._told(one.body), self._told(other.body), self.tolerance)
        except (ValueError, RecursionError):
            return False

    def _told(self, body: bytes) -> object:
        """What an answer says, without what is ignored. Raises: ValueError where it is no JSON."""
        value = _streamed(body) if body.startswith((b"data:", b"event:", b":")) else json.loads(body)
        for path in (*_names(value), *self.ignore):
            value = without(value, path)
        return value


def _names(value: object) -> tuple[Path, ...]:
    """Fields that only name an answer, by the protocol that it is written in."""
    if not isinstance(value, dict):
        return ()
    if "choices" in value or str(value.get("object", "")).startswith(("chat.", "text_completion", "list")):
        return NAMES[OPENAI]
    return NAMES[V2] if "outputs" in value and "model_name" in value else ()


def _streamed(body: bytes) -> object:
    """Server-sent events as one value: the text of each choice as it is when all its pieces have come.

    Raises: ValueError where they are not of JSON.
    """
    lines = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    events = [json.loads(line) for line in lines if line != b"[DONE]"]
    pieces = [choice for event in events if isinstance(event, dict) for choice in event.get("choices") or ()]
    if not pieces or not all(isinstance(piece, dict) for piece in pieces):
        return events
    told: dict[object, dict[str, object]] = {}
    for piece in pieces:
        choice = told.setdefault(piece.get("index", 0), {"text": "", "why": None, "more": []})
        delta = dict(piece.get("delta") or {"content": piece.get("text")})
        choice["text"] = f"{choice['text']}{delta.pop('content', None) or ''}"
        choice["why"] = piece.get("finish_reason") or choice["why"]
        delta.pop("role", None)
        choice["more"] = [*_list(choice["more"]), *([delta] if any(delta.values()) else [])]
    return {"choices": [told[index] for index in sorted(told, key=str)]}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _alike(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        is_near = abs(one - other) <= tolerance * max(abs(one), abs(other))
        return is_near or one == other or (one != one and other != other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(value, other[key], tolerance) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_alike(*pair, tolerance) for pair in zip(one, other, strict=True))
    return bool(one == other)
