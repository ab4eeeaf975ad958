"""How long would a language model on a GPU take? Continuous batching as arithmetic: no clock, no GPU.

Every step of such a server reads all weights and the keys and values of every sequence once, and computes what it
reads of prompts; the longer of the two is what the step takes. The figures are Llama 3.1 8B's (8.03e9 weights of two
bytes; 32 layers of 8 KV heads of 128) on one H100 SXM (3.35 TB/s, 989 TFLOP/s dense BF16, NVIDIA's data sheet of
2023), of which 70 % and 55 % are reached. That gives 6.9 ms for a token alone, 30 ms for a prompt of 1,024 tokens, and
with 256 sequences of 1,000 tokens 12,100 tokens a second, where https://www.morphllm.com/vllm-benchmarks (April 2026)
has 12,500.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from random import Random

WEIGHT_BYTES = 8.03e9 * 2
KV_BYTES = 2 * 32 * 8 * 128 * 2
READS_PER_S = 3.35e12 * 0.7
FLOPS_PER_TOKEN = 2 * 8.03e9
FLOPS_PER_S = 989e12 * 0.55
BLOCK = 16
"""Tokens of one block of the prefix cache; vLLM's default."""
WORDS = ("a", "dragon", "sleeps", "in", "the", "weyr", "and", "wakes", "when", "somebody", "calls", "it", "by", "name")


@dataclass(eq=False)
class Asked:
    """One request: its prompt's tokens as numbers, and how many tokens its answer has."""

    prompt: tuple[int, ...]
    length: int
    left_to_read: int = 0
    cached: int = 0
    written: int = 0

    @property
    def is_done(self) -> bool:
        return self.written >= self.length


@dataclass
class Batch:
    """The sequences under way. `slots` are computed at once; others wait. A step reads at most `chunk` tokens of
    prompts."""

    slots: int = 64
    chunk: int = 2048
    blocks_max: int = 8192
    waiting: deque[Asked] = field(default_factory=deque)
    running: list[Asked] = field(default_factory=list)
    prompt_tokens: int = 0
    written_tokens: int = 0
    _blocks: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def add(self, asked: Asked) -> None:
        self.waiting.append(asked)

    def drop(self, asked: Asked) -> None:
        """Its caller is gone."""
        if asked in self.running:
            self.running.remove(asked)
        elif asked in self.waiting:
            self.waiting.remove(asked)

    def step(self) -> tuple[float, list[Asked]]:
        """One step: the seconds that it takes, and who gets a token from it."""
        while self.waiting and len(self.running) < self.slots:
            asked = self.waiting.popleft()
            asked.cached = self._known(asked.prompt)
            asked.left_to_read = len(asked.prompt) - asked.cached
            self.running.append(asked)
        budget, read, emitting = self.chunk, 0, []
        for asked in self.running:
            part = min(budget, asked.left_to_read)
            asked.left_to_read -= part
            budget, read = budget - part, read + part
            if asked.left_to_read == 0:
                emitting.append(asked)
        for asked in emitting:
            if asked.written == 0:
                self._keep(asked.prompt)
                self.prompt_tokens += len(asked.prompt)
            asked.written += 1
        self.written_tokens += len(emitting)
        held = sum(len(asked.prompt) + asked.written for asked in self.running)
        self.running = [asked for asked in self.running if not asked.is_done]
        return seconds(read + len(emitting), held), emitting

    def _known(self, prompt: tuple[int, ...]) -> int:
        """How many of its first tokens need not be read again; never all of them."""
        count = 0
        for end in range(BLOCK, len(prompt), BLOCK):
            key = hash(prompt[:end])
            if key not in self._blocks:
                break
            self._blocks.move_to_end(key)
            count = end
        return count

    def _keep(self, prompt: tuple[int, ...]) -> None:
        for end in range(BLOCK, len(prompt), BLOCK):
            self._blocks[hash(prompt[:end])] = None
        while len(self._blocks) > self.blocks_max:
            self._blocks.popitem(last=False)


def seconds(computed: int, held: int) -> float:
    """What a step takes that computes so many tokens while the batch holds so many."""
    return max((WEIGHT_BYTES + held * KV_BYTES) / READS_PER_S, computed * FLOPS_PER_TOKEN / FLOPS_PER_S)


def tokens_of(text: str) -> tuple[int, ...]:
    """A text as tokens of four characters, as English has them on average."""
    return tuple(hash_of(text[at : at + 4]) for at in range(0, len(text), 4))


def hash_of(text: str) -> int:
    """As `hash`, but the same in every process."""
    return int.from_bytes(text.encode()[:8], "big")


def length_of(prompt: tuple[int, ...], most: int, seed: int) -> int:
    """How long the answer is: log-normal with a median of 128 tokens, the same for the same prompt and seed."""
    return max(1, min(most, round(Random(f"{seed} {prompt}").lognormvariate(4.85, 0.6))))


def word(prompt: tuple[int, ...], index: int, seed: int) -> str:
    """The token at `index` of the answer."""
    return Random(f"{seed} {len(prompt)} {sum(prompt)} {index}").choice(WORDS)
