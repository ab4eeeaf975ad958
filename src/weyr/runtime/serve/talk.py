"""How is a text generated, or are texts embedded, for a caller of any protocol of language? In the model's threads."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from weyr.runtime.serve.desk import Desk
from weyr.runtime.serve.feed import fed
from weyr.runtime.serve.language import Embeddings, Finish, Generation, Message, Piece, Sampling
from weyr.runtime.serve.shelf import Slot


@dataclass(frozen=True, slots=True)
class Text:
    """A whole generated text. `tokens` of `prompt_tokens` and its own."""

    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int
    stopped_by: str = ""


class Talk:
    """Generations and embeddings of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._loop = asyncio.get_running_loop()

    async def begin(
        self, slot: Slot, prompt: str | Sequence[Message], samplings: Sequence[Sampling]
    ) -> list[Generation]:
        """One generation for each sampling; nothing is computed yet but the prompt's tokens.

        Raises: Unserved, Malformed.
        """
        self._desk.require_place(slot, len(samplings))
        generator = (await self._desk.loaded(slot)).generator
        assert generator is not None
        # The default threads: those of the model may all be busy for minutes, and a bad prompt is told at once.
        return [await self._loop.run_in_executor(None, generator.generate, prompt, each) for each in samplings]

    async def pieces(self, slot: Slot, generation: Generation) -> AsyncGenerator[list[Piece], None]:
        """As they are computed. Closing it ends the computing. Raises: Unserved, whatever the model raises."""
        # The model may have had to leave while nobody was at this text yet.
        await self._desk.loaded(slot)
        assert slot.batcher is not None
        assert slot.calls is not None
        counts = slot.batcher.counts
        slot.streams += 1
        counts.generations += 1
        counts.tokens_in += generation.prompt_tokens
        try:
            async with aclosing(fed(slot.calls, lambda: generation.pieces)) as lists:
                async for pieces in lists:
                    counts.tokens_out += sum(piece.tokens for piece in pieces)
                    yield pieces
        finally:
            slot.streams -= 1
            slot.used_at = self._loop.time()

    async def whole(self, slot: Slot, generation: Generation) -> Text:
        """Raises: whatever the model raises."""
        text, tokens, finish, stopped_by = [], 0, Finish.STOP, ""
        async with aclosing(self.pieces(slot, generation)) as lists:
            async for pieces in lists:
                for piece in pieces:
                    text.append(piece.text)
                    tokens += piece.tokens
                    finish = piece.finish or finish
                    stopped_by = piece.stopped_by
        return Text("".join(text), finish, generation.prompt_tokens, tokens, stopped_by)

    async def embed(self, slot: Slot, texts: Sequence[str]) -> Embeddings:
        """Raises: Unserved, Malformed, whatever the model raises."""
        embedder = (await self._desk.loaded(slot)).embedder
        assert embedder is not None
        assert slot.batcher is not None
        self._desk.require_place(slot)
        counts = slot.batcher.counts
        slot.streams += 1
        try:
            given = await self._loop.run_in_executor(slot.calls, embedder.embed, texts)
        finally:
            slot.streams -= 1
        counts.tokens_in += given.tokens
        counts.rows += len(texts)
        counts.calls += 1
        return given
