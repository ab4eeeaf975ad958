"""How many tokens did an answer have? As its `usage` says, in the words of OpenAI or Anthropic; else a guess.

Bytes pass by here on their way to the caller: nothing is parsed as JSON, and only the end of an answer is kept.
"""

import re

BYTES_PER_TOKEN = 4
"""The rule of thumb for English text."""
TAIL_BYTES = 2048
"""Both protocols write the usage at the end, and what may follow it is short."""

_PROMPT = re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*(\d{1,12})')
_COMPLETION = re.compile(rb'"(?:completion|output)_tokens"\s*:\s*(\d{1,12})')


class TokenMeter:
    """Counts one answer's tokens. `completion` is what is known so far, an event of a stream counting as one."""

    __slots__ = ("_body", "_prompt", "_tail", "completion", "is_stream")

    def __init__(self) -> None:
        self.is_stream = False
        self.completion = 0
        self._prompt = 0
        self._body = 0
        self._tail = b""

    def head(self, head: bytes) -> None:
        """The answer's head, in any case of letters."""
        self.is_stream = b"content-type: text/event-stream" in head.lower()

    def piece(self, data: bytes) -> int:
        """A piece of the answer, its framing included. How many tokens came with it, as far as can be told now."""
        tail = self._tail + data
        if b'_tokens"' in tail and (found := _PROMPT.search(tail)):
            self._prompt = int(found[1])  # Anthropic says it at the beginning
        self._tail = tail[-TAIL_BYTES:]
        if not self.is_stream:
            self._body += len(data)
            return 0
        came = data.count(b"data:") - data.count(b"data: [DONE]")
        self.completion += came
        return came

    def total(self, prompt_guess: int) -> tuple[int, int]:
        """Tokens of the prompt and of the answer, now that it is whole."""
        completions = _COMPLETION.findall(self._tail)
        prompts = _PROMPT.findall(self._tail)
        prompt = int(prompts[-1]) if prompts else self._prompt or prompt_guess
        if completions:
            return prompt, int(completions[-1])
        if prompts:
            return prompt, self.completion if self.is_stream else 0  # embeddings have no completion
        return prompt, self.completion if self.is_stream else self._body // BYTES_PER_TOKEN


def guess_of(body_bytes: int) -> int:
    """About how many tokens a body of so many bytes holds."""
    return max(1, body_bytes // BYTES_PER_TOKEN)
