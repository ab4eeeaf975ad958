"""Writes a BERT encoder as an ONNX graph: from its safetensors and its configuration, without PyTorch.

The graph takes `input_ids` and `attention_mask`, int64[texts, tokens], and gives the last layer's states,
float32[texts, tokens, dimensions]. Source: Devlin et al., "BERT" (2018), and the layout of transformers' weights.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
OUT_OF_SIGHT = -1e4
"""What is added to the score of a token that is only padding: nothing is left of it after the softmax."""

Weights = Mapping[str, NDArray[np.float32]]


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """A header of JSON with its length before it, then the numbers: https://github.com/huggingface/safetensors."""
    content = path.read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    tensors = {}
    for name, told in header.items():
        if name != "__metadata__" and told["dtype"] == "F32":
            start, end = told["data_offsets"]
            flat = np.frombuffer(content[8 + size + start : 8 + size + end], np.float32)
            tensors[name] = flat.reshape(told["shape"])
    return tensors


class Graph:
    """Nodes and weights, one after the other. Each method gives the name of what its node computes."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def hold(self, value: object, dtype: Any = np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def dense(self, x: str, weights: Weights, name: str) -> str:
        product = self.add("MatMul", x, self.hold(weights[f"{name}.weight"].T))
        return self.add("Add", product, self.hold(weights[f"{name}.bias"]))

    def normalised(self, x: str, weights: Weights, name: str, epsilon: float) -> str:
        scale, bias = self.hold(weights[f"{name}.weight"]), self.hold(weights[f"{name}.bias"])
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)


def encoder(weights: Weights, config: Mapping[str, Any]) -> onnx.ModelProto:
    """Takes `config.json` of a BertModel with learnt positions and the usual activation."""
    if config["model_type"] != "bert" or config["hidden_act"] != "gelu":
        raise ValueError(f"this writes BERT with gelu, not {config['model_type']} with {config['hidden_act']}")
    graph, epsilon = Graph(), float(config["layer_norm_eps"])
    states = _embedded(graph, weights, epsilon)
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = graph.add("Mul", graph.add("Sub", graph.hold(1.0), mask), graph.hold(OUT_OF_SIGHT))
    hidden = graph.add("Unsqueeze", hidden, graph.hold([1, 2], np.int64))
    for number in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{number}"
        given = _attended(graph, states, hidden, weights, f"{at}.attention", config)
        states = graph.normalised(graph.add("Add", states, given), weights, f"{at}.attention.output.LayerNorm", epsilon)
        wide = graph.add("Gelu", graph.dense(states, weights, f"{at}.intermediate.dense"))
        given = graph.dense(wide, weights, f"{at}.output.dense")
        states = graph.normalised(graph.add("Add", states, given), weights, f"{at}.output.LayerNorm", epsilon)
    graph.nodes.append(helper.make_node("Identity", [states], ["last_hidden_state"]))
    return _model(graph, config["hidden_size"])


def _embedded(graph: Graph, weights: Weights, epsilon: float) -> str:
    """Each token's vector, its place's, and that of the first kind of sentence, which is the only one."""
    at = "embeddings"
    words = graph.add("Gather", graph.hold(weights[f"{at}.word_embeddings.weight"]), "input_ids")
    length = graph.add("Shape", "input_ids", start=1, end=2)
    places = graph.hold(weights[f"{at}.position_embeddings.weight"] + weights[f"{at}.token_type_embeddings.weight"][0])
    places = graph.add("Slice", places, graph.hold([0], np.int64), length)
    return graph.normalised(graph.add("Add", words, places), weights, f"{at}.LayerNorm", epsilon)


def _attended(graph: Graph, x: str, hidden: str, weights: Weights, at: str, config: Mapping[str, Any]) -> str:
    """Self-attention: float32[texts, tokens, dimensions] again."""
    heads = config["num_attention_heads"]
    width = config["hidden_size"] // heads
    split = graph.hold([0, 0, heads, width], np.int64)

    def by_head(name: str, order: list[int]) -> str:
        given = graph.add("Reshape", graph.dense(x, weights, f"{at}.self.{name}"), split)
        return graph.add("Transpose", given, perm=order)

    query, key, value = by_head("query", [0, 2, 1, 3]), by_head("key", [0, 2, 3, 1]), by_head("value", [0, 2, 1, 3])
    scores = graph.add("Mul", graph.add("MatMul", query, key), graph.hold(width**-0.5))
    shares = graph.add("Softmax", graph.add("Add", scores, hidden), axis=-1)
    given = graph.add("Transpose", graph.add("MatMul", shares, value), perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", given, graph.hold([0, 0, heads * width], np.int64))
    return graph.dense(joined, weights, f"{at}.output.dense")


def _model(graph: Graph, size: int) -> onnx.ModelProto:
    shape = ["texts", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, size])
    made = helper.make_graph(graph.nodes, "encoder", inputs, [output], graph.weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
