"""What can a model of language do? Go on with a text piece by piece, or turn texts into vectors.

Both are called from threads, as `Predictor` is; whoever serves them speaks OpenAI's protocol or any other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array


class Finish(StrEnum):
    """Why a text ends: the model, or a stop text, ended it; or the tokens asked for are used up."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next tokens are chosen.

    `tokens_max` None means up to the model's context. `temperature` 0 means the likeliest token each time. The same
    `seed` gives the same text. A text of `stops` ends the answer and is not part of it.
    """

    tokens_max: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    stops: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What one step added: `tokens` of `text`, which may be empty while a character is incomplete.

    The last piece has `finish`; only it has, and `stopped_by` where one of the stops asked for ended the text.
    """

    text: str
    tokens: int
    finish: Finish | None = None
    stopped_by: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """A text that is being made: each `next` of `pieces` computes one step; closing them ends the computing."""

    prompt_tokens: int
    pieces: Iterator[Piece]


@runtime_checkable
class Generator(Protocol):
    """A model that goes on with a text. `tokens_max` is its context: prompt and answer together."""

    tokens_max: int
    can_chat: bool

    def generate(self, prompt: str | Sequence[Message], sampling: Sampling) -> Generation:
        """Takes a text to go on with, or, where `can_chat`, a conversation to answer.

        Raises: Malformed, before anything is computed: a prompt that fills the context, a role not known.
        """
        ...


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`vectors` is float32[texts, dimensions]; `tokens` counts what was read of all texts."""

    vectors: "Array"
    tokens: int


@runtime_checkable
class Embedder(Protocol):
    """A model that turns texts into vectors, texts alike into vectors alike. `tokens_max` is for each text."""

    dimensions: int
    tokens_max: int

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Raises: Malformed, naming the text that is longer than `tokens_max`."""
        ...
