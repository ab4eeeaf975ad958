"""What did the client send? The fields of a JSON body or of a query, checked one at a time.

The protocol is protobuf's JSON: 64-bit integers may come as text, NaN and infinities always do,
and an enum comes by name or by number. Messages are worded as MLflow words them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from weyr.tracking.errors import ErrorCode, TrackingError, invalid
from weyr.tracking.names import INT64_MAX

E = TypeVar("E", bound=Enum)

_PLAIN_POINT = {"key", "value", "timestamp", "step"}
_HINT = "See the API docs for more information about request parameters."


class Fields:
    """One object of a request. An absent field, a null and empty text are the same: not given."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, value)
        return value

    def required(self, name: str, *older_names: str) -> str:
        """A text that must be given, under this name or under one that older clients use."""
        for each in (name, *older_names):
            if self._values.get(each) not in (None, ""):
                return self.text(each)
        raise _absent(name)

    def integer(self, name: str, default: int, *, least: int = -INT64_MAX, most: int = INT64_MAX) -> int:
        value = self.integer_or_none(name)
        if value is None:
            return default
        if not least <= value <= most:
            raise _wrong(name, value)
        return value

    def integer_or_none(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None or value == "":
            return None
        try:
            number = int(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is None or abs(number) > INT64_MAX or (isinstance(value, float) and number != value):
            raise _wrong(name, value)
        return number

    def required_integer(self, name: str) -> int:
        value = self.integer_or_none(name)
        if value is None:
            raise _absent(name)
        return value

    def number(self, name: str) -> float:
        """A double that must be given; NaN and infinities by their names."""
        value = self._values.get(name)
        if value is None or value == "":
            raise _absent(name)
        try:
            if isinstance(value, bool):
                raise _wrong(name, value)
            return float(value)
        except (TypeError, ValueError, OverflowError) as e:
            raise _wrong(name, value) from e

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            raise _wrong(name, value)
        return bool(value)

    def texts(self, name: str) -> list[str]:
        value = self._list(name)
        if not all(isinstance(each, str) for each in value):
            raise _wrong(name, value)
        return list(value)

    def objects(self, name: str, each_has: Sequence[str] = ()) -> list["Fields"]:
        """A list of objects, in each of which these fields must be given."""
        value = self._list(name)
        if not all(isinstance(each, dict) and each.keys() >= set(each_has) for each in value):
            raise _wrong(name, value)
        return [Fields(each) for each in value]

    def object(self, name: str) -> "Fields":
        value = self._values.get(name)
        if value is None:
            raise _absent(name)
        if not isinstance(value, dict):
            raise _wrong(name, value)
        return Fields(value)

    def plain_point(self) -> tuple[str, float, int, int] | None:
        """A metric's point in its usual form, read in one go: a batch has a thousand. None: read it field by field."""
        values = self._values
        if values.keys() != _PLAIN_POINT:
            return None
        key, value, at, step = values["key"], values["value"], values["timestamp"], values["step"]
        # Exact types, because a bool is an int too.
        if type(key) is str and key and type(at) is int and type(step) is int and type(value) in (float, int):
            return key, float(value), at, step
        return None

    def member(self, name: str, numbered: Sequence[E]) -> E | None:
        """An enum's member. Takes the members in the protocol's numbering, which begins at 1."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        for number, member in enumerate(numbered, start=1):
            if value in (member.value, number, str(number)):
                return member
        raise _wrong(name, value)

    def _list(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _wrong(name, value)
        return value


def fields_of_query(query: QueryParams, lists: Sequence[str]) -> Fields:
    """Takes `lists`: the names that stand for a list, though they be given once."""
    return Fields({name: query.getlist(name) if name in lists else query[name] for name in query})


def fields_of_body(body: bytes) -> Fields:
    """Raises TrackingError: BAD_REQUEST when it is not a JSON object."""
    if not body.strip():
        return Fields({})
    try:
        content = json.loads(body)
        if isinstance(content, str):  # Clients before MLflow 1.0 encoded the body twice.
            content = json.loads(content)
    except (ValueError, RecursionError) as e:
        raise TrackingError(ErrorCode.BAD_REQUEST, f"Malformed JSON in the request body: {e}") from e
    if not isinstance(content, dict):
        raise TrackingError(ErrorCode.BAD_REQUEST, "The request body must be a JSON object.")
    return Fields(content)


def shown_number(value: float) -> float | str:
    """A double as protobuf's JSON writes it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _absent(name: str) -> TrackingError:
    return invalid(f"Missing value for required parameter '{name}'. {_HINT}")


def _wrong(name: str, value: object) -> TrackingError:
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    if len(shown) > 500:
        shown = shown[:500] + "..."
    kind = type(value).__name__
    return invalid(f"Invalid value {shown} for parameter '{name}' supplied:  Hint: Value was of type '{kind}'. {_HINT}")
