"""What does an inference request say, and how is its answer written? JSON, or JSON followed by raw tensors.

Source: Open Inference Protocol v2, "Inference", and the binary tensor data extension (2025-11).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from weyr.runtime.serve.tensor import (
    DATATYPES,
    Malformed,
    checked_shape,
    datatype_of,
    from_bytes,
    from_json,
    json_text,
    to_bytes,
)
from weyr.wire.message import ENCODER, JSON, Response

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

HEADER_LENGTH = b"inference-header-content-length"
BINARY = b"application/octet-stream"
INPUTS_MAX = 1024


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request that could be read. `outputs` maps the wanted names to "as raw bytes?"; None wants all of them."""

    inputs: Mapping[str, "Array"]
    id: str = ""
    outputs: Mapping[str, bool] | None = None
    is_binary: bool = False
    timeout_s: float | None = None


def read_infer(body: bytes, header_length: bytes | None) -> InferRequest:
    """Takes the whole body, and the header that says where its JSON ends. Raises: Malformed."""
    view = memoryview(body)
    size = _header_size(header_length, len(view))
    plain = parsed(view[:size])
    inputs = plain.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise Malformed('"inputs" is missing; it is a list of tensors')
    if len(inputs) > INPUTS_MAX:
        raise Malformed(f"{len(inputs)} inputs; at most {INPUTS_MAX} are possible")
    raw = view[size:]
    arrays: dict[str, Array] = {}
    for item in inputs:
        name, array, used = _input(item, raw)
        if name in arrays:
            raise Malformed(f'the input "{name}" is there twice')
        arrays[name], raw = array, raw[used:]
    if len(raw):
        raise Malformed(f"{len(raw)} bytes follow the last tensor")
    id = plain.get("id", "")
    if not isinstance(id, str):
        raise Malformed('"id" is not a text')
    parameters = _parameters(plain, "the request")
    is_binary = parameters.get("binary_data_output") is True
    return InferRequest(arrays, id, _outputs(plain, is_binary), is_binary, _timeout_s(parameters))


def write_infer(request: InferRequest, model: str, version: str, outputs: Mapping[str, "Array"]) -> Response:
    """The answer: each output as it was asked for."""
    described: list[str] = []
    raw: list[bytes] = []
    for name, array in outputs.items():
        datatype = datatype_of(array.dtype)
        assert datatype is not None, f"{name} is {array.dtype}"
        head = f'{{"name":{_quoted(name)},"datatype":"{datatype}","shape":{list(array.shape)}'
        if request.outputs[name] if request.outputs else request.is_binary:
            data = to_bytes(array, datatype)
            described.append(f'{head},"parameters":{{"binary_data_size":{len(data)}}}}}')
            raw.append(data)
        else:
            described.append(f'{head},"data":{json_text(array)}}}')
    id = f',"id":{ENCODER.encode(request.id)}' if request.id else ""
    text = (
        f'{{"model_name":{_quoted(model)},"model_version":{_quoted(version)}{id},"outputs":[{",".join(described)}]}}'
    ).encode()
    if not raw:
        return Response(200, text, JSON)
    length = str(len(text)).encode()
    return Response(200, b"".join((text, *raw)), BINARY, ((HEADER_LENGTH, length),))


@lru_cache(maxsize=1024)
def _quoted(name: str) -> str:
    """A name as JSON. An encoder costs more to call than all else that a small answer needs."""
    return ENCODER.encode(name)


def _header_size(header_length: bytes | None, size: int) -> int:
    if header_length is None:
        return size
    if not header_length.isdigit() or int(header_length) > size:
        raise Malformed("Inference-Header-Content-Length is not a size within the body")
    return int(header_length)


def parsed(text: memoryview) -> dict[str, Any]:
    """A JSON object. Raises: Malformed."""
    plain = parse(text)
    if not isinstance(plain, dict):
        raise Malformed("the body is not a JSON object")
    return plain


def parse(text: memoryview) -> object:
    """Any JSON value, read strictly. Raises: Malformed."""
    try:
        plain = _decoded(str(text, "utf-8"))
    except RecursionError as e:
        raise Malformed("the body is nested too deep") from e
    except ValueError as e:
        raise Malformed(f"the body is not JSON: {e}") from e
    return plain


def _decoded(text: str) -> object:
    """As the decoder does; without looking for white space around a text that has none."""
    if text[:1] == "{":
        try:
            plain: object
            plain, end = _DECODER.scan_once(text, 0)  # type: ignore[attr-defined]  # typeshed has it not
        except StopIteration:
            end = -1
        if end == len(text):
            return plain
    # Also for the error, which says where.
    whole: object = _DECODER.decode(text)
    return whole


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _input(item: object, raw: memoryview) -> tuple[str, "Array", int]:
    """One input, and how many of the raw bytes it took."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise Malformed("each input is an object with a name")
    name, datatype = item["name"], item.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise Malformed(f'the datatype of "{name}" is {datatype!r}; known: {", ".join(DATATYPES)}')
    shape = checked_shape(name, item.get("shape"))
    parameters = _parameters(item, f'"{name}"')
    if "shared_memory_region" in parameters:
        raise Malformed("shared memory is not offered; send the tensors")
    size = parameters.get("binary_data_size")
    if size is None:
        return name, from_json(name, datatype, shape, item.get("data")), 0
    if "data" in item:
        raise Malformed(f'"{name}" has both data and binary_data_size')
    if type(size) is not int or not 0 <= size <= len(raw):
        raise Malformed(f'binary_data_size of "{name}" is {size!r}, and {len(raw)} bytes are left')
    return name, from_bytes(name, datatype, shape, raw[:size]), size


def _timeout_s(parameters: Mapping[str, Any]) -> float | None:
    """Triton's request parameters: how long the request may wait, in microseconds; the others are refused."""
    if parameters.get("sequence_id"):
        raise Malformed("sequences are not offered: each request is computed by itself")
    if parameters.get("priority"):
        raise Malformed("priorities are not the model server's to give")
    timeout = parameters.get("timeout", 0)
    if type(timeout) is not int or timeout < 0:
        raise Malformed('"timeout" is not a number of microseconds')
    return timeout / 1e6 if timeout else None


def _outputs(plain: Mapping[str, Any], is_binary: bool) -> dict[str, bool] | None:
    outputs = plain.get("outputs", [])
    if outputs == []:
        return None
    if not isinstance(outputs, list):
        raise Malformed('"outputs" is not a list')
    wanted: dict[str, bool] = {}
    for item in outputs:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise Malformed("each output is an object with a name")
        parameters = _parameters(item, f'"{item["name"]}"')
        if parameters.get("classification"):
            raise Malformed("the classification extension is not offered; ask for the output itself")
        if "shared_memory_region" in parameters:
            raise Malformed("shared memory is not offered; the outputs come in the answer")
        wanted[item["name"]] = parameters.get("binary_data", is_binary) is True
    return wanted


def _parameters(plain: Mapping[str, Any], of: str) -> Mapping[str, Any]:
    parameters = plain.get("parameters", {})
    if not isinstance(parameters, dict):
        raise Malformed(f'"parameters" of {of} is not an object')
    return parameters
