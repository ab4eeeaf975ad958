"""How is an ONNX encoder with a tokenizer beside it served? As an embedder: texts in, vectors out."""

from pathlib import Path
from typing import TYPE_CHECKING

from weyr.runtime.serve.formats.onnx_model import OnnxModel
from weyr.runtime.serve.formats.sentences import Manner, Pooling, Sentences, manner_of, tokenizer_in
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Unloadable

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

IDS, MASK, KINDS = "input_ids", "attention_mask", "token_type_ids"
"""What encoders call their inputs when they are exported."""


def is_encoder(model: OnnxModel) -> bool:
    """Whether the graph takes tokens and gives states or vectors, the first of which is what a vector is made from."""
    names = {spec.name for spec in model.inputs}
    ranks = [len(spec.shape) for spec in model.outputs[:1] if spec.datatype == "FP32"]
    return names <= {IDS, MASK, KINDS} and IDS in names and ranks in ([2], [3])


def onnx_sentences(folder: Path, model: OnnxModel, loading: Loading) -> Sentences:
    """Raises: Unloadable."""
    import numpy as np

    names = [spec.name for spec in model.inputs]
    output = model.outputs[0]
    if any(spec.datatype != "INT64" for spec in model.inputs):
        raise Unloadable("its tokens are not INT64")

    def encode(ids: "Array", mask: "Array") -> "Array":
        given = {IDS: ids, MASK: mask, KINDS: np.zeros_like(ids)}
        return model.predict({name: given[name] for name in names}, (output.name,))[output.name]

    manner = manner_of(folder)
    if len(output.shape) == 2:
        manner = Manner(Pooling.DONE, manner.is_normalised, manner.tokens_max)
    return Sentences("onnx_onnxv1", tokenizer_in(folder), manner, encode)
