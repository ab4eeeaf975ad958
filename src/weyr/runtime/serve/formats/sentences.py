"""How do texts become vectors? Tokens through an encoder, whose states are pooled into one vector for each text.

How to pool is in the folder where sentence-transformers saved the model (`1_Pooling/config.json`, `modules.json`);
without it, the mean over the tokens, of length one.

Source: https://sbert.net/docs/package_reference/sentence_transformer/models.html (Pooling, Normalize), 2025-11.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.language import Embeddings
from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import Malformed, TensorSpec

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

    Encode = Callable[["Array", "Array"], "Array"]

TEXT, EMBEDDING = "text", "embedding"
TOKENS_MAX = 512
TEXTS_AT_ONCE = 32
LENGTH_MIN = 1e-12
"""What a vector's length is taken for at least, so that one of zeros stays one of zeros."""


class Pooling(Enum):
    """Which states make the vector. `DONE`: the encoder gives a vector for each text itself."""

    MEAN = "pooling_mode_mean_tokens"
    FIRST = "pooling_mode_cls_token"
    MAX = "pooling_mode_max_tokens"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Manner:
    """What the folder says of how its vectors are made."""

    pooling: Pooling
    is_normalised: bool
    tokens_max: int


class Sentences:
    """An encoder and its tokenizer, as an embedder and as a predictor of `text` to `embedding`.

    Takes: `encode`, from ids and mask (int64[texts, tokens]) to states, float32[texts, tokens, dimensions], or
    vectors, float32[texts, dimensions], where the manner's pooling is `DONE`.
    """

    is_rowwise = True

    def __init__(self, platform: str, tokenizer: Any, manner: Manner, encode: "Encode") -> None:
        self.platform = platform
        self.tokens_max = manner.tokens_max
        self._tokenizer = tokenizer
        self._manner = manner
        self._encode = encode
        self.dimensions = int(self._vectors([self._tokenizer.encode("")]).shape[1])
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec(TEXT, "BYTES", (-1,)),)
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec(EMBEDDING, "FP32", (-1, self.dimensions)),)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        import numpy as np

        encoded = self._tokenizer.encode_batch(list(texts))
        for number, one in enumerate(encoded):
            if len(one.ids) > self.tokens_max:
                what = f"text {number} has {len(one.ids)} tokens; the model takes {self.tokens_max}"
                raise Malformed(what)
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        # Texts of like length together: each is padded to the longest of its batch, and padding is computed too.
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number].ids))
        for start in range(0, len(order), TEXTS_AT_ONCE):
            batch = order[start : start + TEXTS_AT_ONCE]
            vectors[batch] = self._vectors([encoded[number] for number in batch])
        return Embeddings(vectors, sum(len(one.ids) for one in encoded))

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        return {EMBEDDING: self.embed(inputs[TEXT].tolist()).vectors}

    def warm_up(self) -> None:
        """Nothing more: the dimensions were found by computing."""

    def _vectors(self, encoded: Sequence[Any]) -> "Array":
        import numpy as np

        longest = max(len(one.ids) for one in encoded)
        ids, mask = np.zeros((2, len(encoded), max(longest, 1)), np.int64)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)] = one.ids
            mask[row, : len(one.ids)] = 1
        vectors = pooled(self._encode(ids, mask), mask, self._manner.pooling)
        if self._manner.is_normalised:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), LENGTH_MIN)
        return vectors


def pooled(states: "Array", mask: "Array", pooling: Pooling) -> "Array":
    """float32[texts, dimensions] of `states`; what the mask leaves out has no part in it."""
    import numpy as np

    weights = mask[:, :, np.newaxis].astype(states.dtype) if states.ndim == 3 else None
    match pooling:
        case Pooling.MEAN:
            given = (states * weights).sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1)
        case Pooling.FIRST:
            given = states[:, 0]
        case Pooling.MAX:
            given = np.where(weights == 0, -np.inf, states).max(axis=1)
        case Pooling.DONE:
            given = states
    return np.asarray(given, np.float32)


def manner_of(folder: Path) -> Manner:
    """Raises: Unloadable where the folder asks for a way of pooling that is not known."""
    pooling = {word for word, is_on in _read(folder / "1_Pooling" / "config.json").items() if is_on is True}
    known = [each for each in Pooling if each.value in pooling]
    wanted = {word for word in pooling if word.startswith("pooling_mode_")}
    if wanted and ({each.value for each in known} != wanted or len(known) != 1):
        words = ", ".join(each.value for each in Pooling if each is not Pooling.DONE)
        raise Unloadable(f"its pooling is {', '.join(sorted(wanted))}; one of these is possible: {words}")
    modules = folder / "modules.json"
    types = [str(module.get("type", "")).rpartition(".")[2] for module in _read(modules)] if modules.exists() else None
    unknown = set(types or ()) - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise Unloadable(f"its modules are {', '.join(types or ())}; {', '.join(sorted(unknown))} is not known")
    length = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    position = _read(folder / "config.json").get("max_position_embeddings")
    tokens_max = next((size for size in (length, position) if isinstance(size, int)), TOKENS_MAX)
    return Manner(known[0] if known else Pooling.MEAN, types is None or "Normalize" in types, tokens_max)


def tokenizer_in(folder: Path) -> Any:
    """The tokenizer of a folder, which neither cuts nor pads by itself. Raises: Unloadable."""
    from tokenizers import Tokenizer

    if not (folder / "tokenizer.json").is_file():
        raise Unloadable("it has no tokenizer.json; save it with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read(path: Path) -> Any:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_bytes())
    except ValueError as e:
        raise Unloadable(f"{path.name} is not JSON: {e}") from e
