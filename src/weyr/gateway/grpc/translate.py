"""What is a message of the gRPC service as an HTTP request of the same protocol, and an answer as a message? Pure.

Tensors pass as the raw bytes they are: the binary tensor extension lays them out as `raw_input_contents` does.

Source: Open Inference Protocol v2, gRPC and HTTP, and the binary tensor data extension (2025-11).
"""

import json
import struct
from array import array
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from weyr.gateway.grpc.messages import DATA_TYPES

HEADER_LENGTH = b"inference-header-content-length"


class Malformed(ValueError):
    """The caller's mistake; its text is the answer."""


class Untranslatable(ValueError):
    """The other end's answer is not of the protocol; the text says what it is."""


TYPED = {
    "BOOL": ("bool_contents", "B"), "INT8": ("int_contents", "b"), "INT16": ("int_contents", "h"),
    "INT32": ("int_contents", "i"), "INT64": ("int64_contents", "q"), "UINT8": ("uint_contents", "B"),
    "UINT16": ("uint_contents", "H"), "UINT32": ("uint_contents", "I"), "UINT64": ("uint64_contents", "Q"),
    "FP32": ("fp32_contents", "f"), "FP64": ("fp64_contents", "d"), "BYTES": ("bytes_contents", ""),
}  # fmt: skip
"""Where a datatype's typed contents are, and their code in `array`; FP16 and BF16 have none."""


def model_path(name: str, version: str, *rest: str) -> str:
    """The path of a model, for any name. Raises: Malformed."""
    if not name:
        raise Malformed("the model has no name")
    versions = ("versions", quote(version, safe="")) if version else ()
    return "/".join(("/v2/models", quote(name, safe=""), *versions, *rest))


def infer_body(message: Any) -> tuple[bytes, bytes]:
    """The JSON and the raw tensors of a ModelInferRequest. Raises: Malformed."""
    raw = list(message.raw_input_contents)
    if raw and any(tensor.HasField("contents") for tensor in message.inputs):
        raise Malformed("there are both contents and raw_input_contents")
    if raw and len(raw) != len(message.inputs):
        raise Malformed(f"raw_input_contents has {len(raw)} tensors, and there are {len(message.inputs)} inputs")
    raw = raw or [_contents(tensor) for tensor in message.inputs]
    inputs: list[dict[str, Any]] = []
    for tensor, data in zip(message.inputs, raw, strict=True):
        parameters = {**_plain(tensor.parameters), "binary_data_size": len(data)}
        described = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        inputs.append({**described, "parameters": parameters})
    head: dict[str, Any] = {"inputs": inputs, "parameters": {**_plain(message.parameters), "binary_data_output": True}}
    if message.id:
        head["id"] = message.id
    if message.outputs:
        head["outputs"] = [{"name": of.name, "parameters": _plain(of.parameters)} for of in message.outputs]
    return json.dumps(head).encode(), b"".join(raw)


def infer_answer(classes: Mapping[str, Any], headers: Mapping[bytes, bytes], body: bytes) -> Any:
    """A ModelInferResponse. Raises: Untranslatable."""
    try:
        size = int(headers.get(HEADER_LENGTH, len(body)))
        head = json.loads(body[:size])
        message = classes["ModelInferResponse"](
            model_name=head["model_name"], model_version=head.get("model_version", ""), id=head.get("id", "")
        )
        at = size
        for output in head["outputs"]:
            message.outputs.add(name=output["name"], datatype=output["datatype"], shape=output["shape"])
            length = output.get("parameters", {}).get("binary_data_size")
            if length is None:
                raise Untranslatable(f'the output "{output["name"]}" did not come as raw bytes')
            message.raw_output_contents.append(body[at : at + length])
            at += length
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise Untranslatable(f"the answer is not an inference response: {type(e).__name__} {e}") from e
    return message


def config_answer(body: bytes) -> dict[str, Any]:
    """The configuration of a model, with its enum as numbers."""
    config = json.loads(body)
    for tensor in (*config.get("input", ()), *config.get("output", ())):
        tensor["data_type"] = DATA_TYPES.get(str(tensor.get("data_type", "")).removeprefix("TYPE_"), 0)
    return {"config": config}


def _contents(tensor: Any) -> bytes:
    """Typed contents as raw bytes, little-endian."""
    if tensor.datatype not in TYPED:
        raise Malformed(f'"{tensor.name}" is {tensor.datatype}, which has no typed contents; use raw_input_contents')
    field, code = TYPED[tensor.datatype]
    values = getattr(tensor.contents, field)
    others = [each.name for each, _ in tensor.contents.ListFields() if each.name != field]
    if others:
        raise Malformed(f'the contents of "{tensor.name}" are in {others[0]}, and {tensor.datatype} belongs in {field}')
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(text)) + text for text in values)
    try:
        return array(code, values).tobytes()
    except OverflowError as e:
        raise Malformed(f'"{tensor.name}" is {tensor.datatype}, and its contents hold a number out of range') from e


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a map of InferParameter."""
    return {name: getattr(value, chosen) for name, value in parameters.items() if (chosen := _choice(value))}


def _choice(value: Any) -> str | None:
    chosen: str | None = value.WhichOneof("parameter_choice")
    return chosen
