"""What does a search ask for? MLflow's filter and order_by texts, parsed into plain values.

    filter    clause (AND clause)*
    clause    field (= != < <= > >= LIKE ILIKE) literal | field [NOT] IN (literal, ...) | field IS [NOT] NULL
    field     [entity.]key       keys with other characters stand in backticks or double quotes
    order_by  field [ASC | DESC]

Which entities and keys exist is the asker's to know: see `run_search` and its neighbours.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from weyr.tracking.errors import TrackingError, invalid

FILTER_CHARS_MAX = 100_000
CLAUSES_MAX = 100
ORDER_CHARS_MAX = 1000
INT_DIGITS_MAX = 18


class Entity(StrEnum):
    """What a field belongs to."""

    ATTRIBUTE = "attribute"
    METRIC = "metric"
    PARAM = "parameter"
    TAG = "tag"
    DATASET = "dataset"


_ENTITIES: Mapping[str, Entity] = {
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), Entity.ATTRIBUTE),
    **dict.fromkeys(("metric", "metrics"), Entity.METRIC),
    **dict.fromkeys(("parameter", "parameters", "param", "params"), Entity.PARAM),
    **dict.fromkeys(("tag", "tags"), Entity.TAG),
    **dict.fromkeys(("dataset", "datasets"), Entity.DATASET),
}

Literal = str | int | float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operator` is upper case; `value` is a tuple for IN, and empty text for IS [NOT] NULL."""

    entity: Entity
    key: str
    operator: str
    value: Literal | tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class OrderBy:
    entity: Entity
    key: str
    is_ascending: bool


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<field>[A-Za-z_][\w]*\.(?:`[^`]+`|"[^"]+"|[\w./\-:]+))
    | (?P<quoted>`[^`]+`|"[^"]*")
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<word>[A-Za-z_]\w*)
    | (?P<operator><=|>=|!=|<>|=|<|>)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse_filter(text: str) -> tuple[Comparison, ...]:
    """Raises TrackingError (INVALID_PARAMETER_VALUE) with the clause that could not be read."""
    if len(text) > FILTER_CHARS_MAX:
        raise invalid(f"The filter is longer than {FILTER_CHARS_MAX} characters.")
    tokens = _tokens(text)
    if not tokens:
        return ()
    parser = _Parser(tokens, text)
    clauses = [parser.clause()]
    while parser.has_more():
        if len(clauses) == CLAUSES_MAX:
            raise invalid(f"The filter has more than {CLAUSES_MAX} clauses.")
        parser.expect_and()
        clauses.append(parser.clause())
    return tuple(clauses)


def parse_order(text: str) -> OrderBy:
    """Raises TrackingError when it is not one field with an optional ASC or DESC."""
    if len(text) > ORDER_CHARS_MAX:
        raise invalid(f"An order_by clause is longer than {ORDER_CHARS_MAX} characters.")
    words = text.strip()
    is_ascending = True
    match = re.match(r"(?s)^(.*\S)\s+(asc|desc)$", words, re.IGNORECASE)
    if match:
        words, is_ascending = match[1], match[2].lower() == "asc"
    tokens = _tokens(words)
    if len(tokens) != 1 or tokens[0].kind not in ("field", "quoted", "word"):
        raise invalid(f"Invalid order_by clause '{text}'. Could not be parsed.")
    entity, key = _field(tokens[0].text)
    return OrderBy(entity, key, is_ascending)


def _tokens(text: str) -> list[_Token]:
    found = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid(f"Invalid clause(s) in filter string: '{text[at:].strip()}'")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[_Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._at = 0

    def has_more(self) -> bool:
        return self._at < len(self._tokens)

    def expect_and(self) -> None:
        token = self._next()
        if token.text.upper() != "AND":
            raise invalid(f"Invalid clause(s) in filter string: '{token.text}'")

    def clause(self) -> Comparison:
        token = self._next()
        if token.kind not in ("field", "quoted", "word"):
            raise invalid(f"Invalid comparison clause. Expected 'Identifier' found '{token.text}'")
        entity, key = _field(token.text)
        operator = self._operator()
        match operator:
            case "IN" | "NOT IN":
                return Comparison(entity, key, operator, self._list())
            case "IS NULL" | "IS NOT NULL":
                return Comparison(entity, key, operator, "")
            case _:
                return Comparison(entity, key, operator, self._literal(entity))

    def _operator(self) -> str:
        token = self._next()
        word = token.text.upper()
        if token.kind == "operator":
            return "!=" if word == "<>" else word
        if word in ("LIKE", "ILIKE", "RLIKE", "IN"):
            return word
        if word == "NOT" and self._next().text.upper() == "IN":
            return "NOT IN"
        if word == "IS":
            following = self._next().text.upper()
            if following == "NULL":
                return "IS NULL"
            if following == "NOT" and self._next().text.upper() == "NULL":
                return "IS NOT NULL"
        raise invalid(f"Invalid clause(s) in filter string: '{token.text}'")

    def _literal(self, entity: Entity) -> Literal:
        token = self._next()
        if entity is Entity.METRIC and token.kind != "number":
            raise invalid(f"Expected numeric value type for metric. Found {token.text}")
        if token.kind == "number" and entity in (Entity.METRIC, Entity.ATTRIBUTE):
            # A whole number past 64 bits would not pass into the database; a double compares as well.
            is_whole = not re.search(r"[.eE]", token.text) and len(token.text) <= INT_DIGITS_MAX
            return int(token.text) if is_whole else float(token.text)
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "quoted" and token.text.startswith('"'):
            return token.text[1:-1]
        raise invalid(f"Expected a quoted string value for {entity} (e.g. 'my-value'). Got value {token.text}")

    def _list(self) -> tuple[Literal, ...]:
        if self._next().text != "(":
            raise self._end_of_list()
        values: list[Literal] = []
        while True:
            token = self._next()
            if token.kind not in ("text", "quoted"):
                raise self._end_of_list()
            values.append(token.text[1:-1])
            mark = self._next().text
            if mark == ")":
                return tuple(values)
            if mark != ",":
                raise self._end_of_list()

    def _end_of_list(self) -> TrackingError:
        return invalid(
            "While parsing a list in the query, expected a non-empty list of string values, punctuation, or "
            f"whitespace, but got: {self._text}"
        )

    def _next(self) -> _Token:
        if not self.has_more():
            raise invalid(f"Invalid filter '{self._text}'. Could not be parsed.")
        self._at += 1
        return self._tokens[self._at - 1]


def _field(text: str) -> tuple[Entity, str]:
    if text[0] in '`"':
        return Entity.ATTRIBUTE, _unquoted(text)
    head, dot, rest = text.partition(".")
    if not dot:
        return Entity.ATTRIBUTE, text
    entity = _ENTITIES.get(head)
    if entity is None:
        names = [str(name) for name in Entity]
        raise invalid(f"Invalid entity type '{head}'. Valid values are {names}")
    return entity, _unquoted(rest)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in '`"':
        return text[1:-1]
    return text


def check_operator(comparison: Comparison, allowed: Iterable[str]) -> None:
    """Raises TrackingError when the field cannot be compared in this way."""
    if comparison.operator not in allowed:
        raise invalid(f"Invalid comparator '{comparison.operator}' not one of '{sorted(allowed)}'")
