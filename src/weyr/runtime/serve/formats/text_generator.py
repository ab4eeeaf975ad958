"""How does a language model of transformers go on with a text? Token by token, each from what was computed before it.

transformers' own `generate` gives its pieces through a queue and a thread, and cannot be stopped between two tokens by
whoever reads them; this loop is a generator that computes one token each time it is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.answering import pieces_of
from weyr.runtime.serve.formats.sentences import TEXT
from weyr.runtime.serve.language import Generation, Message, Sampling
from weyr.runtime.serve.tensor import Malformed, TensorSpec

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

GENERATED = "generated"
ROLES = ("system", "user", "assistant")
TOKENS_BY_TENSOR = 256
"""How long an answer over the tensor protocol may be, which has no field to ask for another length."""

CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length")
"""What configurations call the context's length."""


class TextGenerator:
    """A generator, and a predictor of `text` to `generated`, the likeliest answer."""

    platform = "transformers"
    is_rowwise = False

    def __init__(self, model: Any, tokenizer_folder: Path) -> None:
        from transformers import AutoTokenizer

        self._model = model
        self._tokenizer: Any = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
        config = model.config
        sizes = [getattr(config, name, None) for name in CONTEXT]
        self.tokens_max = next((int(size) for size in sizes if size), 2048)
        self.can_chat = bool(self._tokenizer.chat_template)
        ends = model.generation_config.eos_token_id
        named = ends if isinstance(ends, list) else [ends, self._tokenizer.eos_token_id]
        self._ends = frozenset(int(token) for token in named if token is not None)
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec(TEXT, "BYTES", (-1,)),)
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec(GENERATED, "BYTES", (-1,)),)

    def generate(self, prompt: str | Sequence[Message], sampling: Sampling) -> Generation:
        ids = self._tokens(prompt)
        if not ids:
            raise Malformed("the prompt is empty")
        room = self.tokens_max - len(ids)
        if room < 1:
            raise Malformed(f"the prompt has {len(ids)} tokens; prompt and answer together can have {self.tokens_max}")
        most = min(room, sampling.tokens_max or room)
        pieces = pieces_of(self._chosen(ids, sampling), self._decode, self._ends, sampling.stops, most)
        return Generation(len(ids), pieces)

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        import numpy as np

        likeliest = Sampling(tokens_max=TOKENS_BY_TENSOR, temperature=0.0)
        texts = [
            "".join(piece.text for piece in self.generate(prompt, likeliest).pieces) for prompt in inputs[TEXT].tolist()
        ]
        return {GENERATED: np.array(texts, dtype=object)}

    def warm_up(self) -> None:
        """Makes two tokens: the first call allocates, the second goes on from it."""
        ids = [next(iter(self._ends), 0)]
        tokens = self._chosen(ids, Sampling(temperature=0.0))
        next(tokens), next(tokens)

    def _tokens(self, prompt: str | Sequence[Message]) -> list[int]:
        if isinstance(prompt, str):
            return list(self._tokenizer.encode(prompt))
        if not self.can_chat:
            raise Malformed("the model has no chat template; ask it to complete a text instead")
        unknown = [message.role for message in prompt if message.role not in ROLES]
        if unknown:
            raise Malformed(f'the role "{unknown[0]}" is not known; known: {", ".join(ROLES)}')
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        try:
            text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        except Exception as e:
            # The template is a program of the model's, and refuses conversations that it was not made for.
            raise Malformed(f"the model's chat template does not take this conversation: {e}") from e
        # The template has written the special tokens itself.
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _chosen(self, ids: list[int], sampling: Sampling) -> Iterator[int]:
        import torch

        chance = torch.Generator()
        chance.seed() if sampling.seed is None else chance.manual_seed(sampling.seed)
        past: Any = None
        following = ids
        while True:
            # Not around the yield: the mode is the thread's, and another thread may ask for the next token.
            with torch.inference_mode():
                given = self._model(
                    input_ids=torch.tensor([following], device=self._model.device), past_key_values=past, use_cache=True
                )
                past = given.past_key_values
                token = _drawn(given.logits[0, -1].float().cpu(), sampling, chance)
            yield token
            following = [token]


def _drawn(logits: Any, sampling: Sampling, chance: Any) -> int:
    """One token: the likeliest at temperature 0, else one by chance among those that make up `top_p`."""
    import torch

    if sampling.temperature <= 0:
        return int(logits.argmax())
    shares = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        ordered, order = shares.sort(descending=True)
        # The one that passes the bound is still in: at least one always is.
        ordered[ordered.cumsum(0) - ordered >= sampling.top_p] = 0.0
        return int(order[torch.multinomial(ordered, 1, generator=chance)])
    return int(torch.multinomial(shares, 1, generator=chance))
