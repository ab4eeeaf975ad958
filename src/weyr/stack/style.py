"""What is a line of output before it is text? Pieces, each with what it means."""

from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """What a piece of text means; the terminal gives each meaning a look, plain text none."""

    PLAIN = "plain"
    HEADING = "heading"
    DIM = "dim"
    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DESTROY = "destroy"
    FATAL = "fatal"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a line in one style."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Token, ...]
