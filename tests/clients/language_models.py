"""A model of language that is small enough to know what it will say, and vectors that can be checked by hand."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from served_models import Identity

from weyr.runtime.serve.language import Embeddings, Finish, Generation, Message, Piece, Sampling
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import Malformed


class Parrot:
    """Says the last turn's words in turn, for ever; one word is one token. `steps` counts what it computed."""

    can_chat = True
    tokens_max = 1000

    def __init__(self) -> None:
        self.steps = 0
        self.under_way = 0
        self.pace_s = 0.0

    def generate(self, prompt: str | Sequence[Message], sampling: Sampling) -> Generation:
        said = prompt if isinstance(prompt, str) else prompt[-1].content
        if "too long" in said:
            raise Malformed("the prompt fills the context of 1000 tokens")
        return Generation(len(said.split()), self._pieces(said.split() or ["well"], sampling))

    def _pieces(self, words: list[str], sampling: Sampling) -> Iterator[Piece]:
        self.under_way += 1
        try:
            for n in range(sampling.tokens_max or 5):
                threading.Event().wait(self.pace_s)
                self.steps += 1
                word = words[n % len(words)]
                if word in sampling.stops:
                    yield Piece("", 1, Finish.STOP, word)
                    return
                if word == "explode":
                    raise RuntimeError("it exploded")
                yield Piece(f"{word} ", 1)
            yield Piece("", 0, Finish.LENGTH)
        finally:
            self.under_way -= 1


class Hashes:
    """A text's vector is made of its digest."""

    dimensions = 8
    tokens_max = 100

    def embed(self, texts: Sequence[str]) -> Embeddings:
        if any(len(text.split()) > self.tokens_max for text in texts):
            raise Malformed("a text is longer than 100 tokens")
        return Embeddings(np.stack([vector(text) for text in texts]), sum(len(text.split()) for text in texts))


def vector(text: str) -> Any:
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], np.uint8)
    return (digest / 255).astype(np.float32)


def parrot(name: str = "parrot") -> tuple[Model, Parrot]:
    speaks = Parrot()
    return Model(name, "1", Identity(), generator=speaks), speaks


def hashes() -> Model:
    return Model("hashes", "1", Identity(), embedder=Hashes())
