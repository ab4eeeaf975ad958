"""What may be sent where, for machines? JSON Schema of plain JSON, OpenAPI of the protocols. Pure, from metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.rows import V1_FORMS
from weyr.runtime.serve.tensor import TensorSpec

DRAFT = "https://json-schema.org/draft/2020-12/schema"
INTEGERS = {
    "UINT8": (0, 2**8 - 1), "UINT16": (0, 2**16 - 1), "UINT32": (0, 2**32 - 1), "UINT64": (0, 2**64 - 1),
    "INT8": (-(2**7), 2**7 - 1), "INT16": (-(2**15), 2**15 - 1), "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
}  # fmt: skip


def json_schema(model: Model) -> dict[str, Any]:
    """What `POST /predict` takes; `$defs/answer` is what it gives."""
    if model.program:
        return {**model.program.takes, "$schema": DRAFT, "title": model.name, "$defs": _defs(model)}
    inputs, outputs = model.predictor.inputs, model.predictor.outputs
    forms = [_object(inputs, rows=True), _rows(inputs)]
    given = [_object(outputs, rows=True), _rows(outputs)]
    if all(spec.shape[:1] == (-1,) for spec in (*inputs, *outputs)):
        forms.append(_object(inputs, rows=False))
        given.append(_object(outputs, rows=False))
    if all(spec.name not in V1_FORMS for spec in inputs):
        forms += [_only(name, of) for name, of in zip(V1_FORMS, (_rows(inputs), _columns(inputs)), strict=True)]
        given += [_only("predictions", _rows(outputs)), _only("outputs", _columns(outputs))]
    return {"$schema": DRAFT, "title": model.name, "anyOf": forms, "$defs": {"answer": {"anyOf": given}}}


def openapi(models: Sequence[Model]) -> dict[str, Any]:
    """The paths of the models that are in memory."""
    paths: dict[str, Any] = {
        "/v2/health/live": {"get": _operation("Whether the server answers", {"200": "It does"})},
        "/v2/health/ready": {"get": _operation("Whether the models are ready", {"200": "Yes", "503": "Not yet"})},
        "/v2": {"get": _operation("The server's metadata", {"200": "Its name, version and extensions"})},
    }
    for model in models:
        paths |= _paths_of(model)
    return {
        "openapi": "3.1.0",
        "info": {"title": "A replica of Weyr", "version": "2"},
        "paths": paths,
        "components": {"schemas": {"error": _ERROR}},
    }


_ERROR = {"type": "object", "required": ["error"]}
_USUAL = {"400": "The input does not fit the model", "413": "The input is too large", "503": "The model is not ready"}


def _paths_of(model: Model) -> dict[str, Any]:
    at = f"/v2/models/{model.name}"
    paths: dict[str, Any] = {
        at: {"get": _operation("The model's metadata", {"200": "Its inputs and outputs", **_USUAL})},
        f"{at}/ready": {"get": _operation("Whether the model is ready", {"200": "Yes", "503": "No"})},
    }
    if model.predictor.inputs:
        infer = _operation("Inference", {"200": "The outputs", **_USUAL}, _infer_schema(model.predictor.inputs))
        paths[f"{at}/infer"] = {"post": infer}
        rows = {"type": "object", "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}]}
        v1 = _operation("Prediction of rows", {"200": "The predictions", **_USUAL}, rows)
        paths[f"/v1/models/{model.name}:predict"] = {"post": v1}
    schema = {key: value for key, value in json_schema(model).items() if key not in ("$schema", "$defs")}
    given = {"200": "The answer", **_USUAL}
    paths[f"/predict/{model.name}"] = {"post": _operation("Plain JSON", given, schema)}
    text = {"type": "object", "required": ["model"], "properties": {"model": {"const": model.name}}}
    if model.generator:
        paths["/v1/completions"] = {"post": _operation("Goes on with a text", given, text)}
        if model.generator.can_chat:
            paths["/v1/chat/completions"] = {"post": _operation("Answers a conversation", given, text)}
    if model.embedder:
        paths["/v1/embeddings"] = {"post": _operation("Turns texts into vectors", given, text)}
    return paths


def _operation(summary: str, answers: Mapping[str, str], body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Takes the answers by status, and the schema of the body."""
    described: dict[str, Any] = {"summary": summary, "responses": {}}
    for status, text in answers.items():
        schema = {"$ref": "#/components/schemas/error"} if status >= "400" else {}
        described["responses"][status] = {
            "description": text,
            "content": {"application/json": {"schema": schema}},
        }
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


def _infer_schema(specs: Sequence[TensorSpec]) -> dict[str, Any]:
    tensors = [
        {
            "type": "object",
            "required": ["name", "shape", "datatype", "data"],
            "properties": {
                "name": {"const": spec.name},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "datatype": {"type": "string"},
                "data": {"type": "array"},
            },
        }
        for spec in specs
    ]
    inputs = {"type": "array", "items": {"anyOf": tensors}, "minItems": len(specs), "maxItems": len(specs)}
    return {"type": "object", "required": ["inputs"], "properties": {"inputs": inputs, "id": {"type": "string"}}}


def _object(specs: Sequence[TensorSpec], rows: bool) -> dict[str, Any]:
    """An object of all inputs; where not `rows`, of one row of each."""
    return {
        "type": "object",
        "required": [spec.name for spec in specs],
        "properties": {spec.name: _nested(spec, spec.shape if rows else spec.shape[1:]) for spec in specs},
        "additionalProperties": False,
    }


def _columns(specs: Sequence[TensorSpec]) -> dict[str, Any]:
    """An object of all rows of each input, or those of the only one bare."""
    named = _object(specs, rows=True)
    return {"anyOf": [_nested(specs[0], specs[0].shape), named]} if len(specs) == 1 else named


def _only(name: str, of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: of}, "additionalProperties": False}


def _rows(specs: Sequence[TensorSpec]) -> dict[str, Any]:
    """A list of rows: bare values where there is one tensor, objects else."""
    row = _object(specs, rows=False)
    if len(specs) == 1:
        row = {"anyOf": [_nested(specs[0], specs[0].shape[1:]), row]}
    return {"type": "array", "items": row, "minItems": 1}


def _nested(spec: TensorSpec, shape: Sequence[int]) -> dict[str, Any]:
    if not shape:
        return _element(spec.datatype)
    size = {"minItems": 1} if shape[0] == -1 else {"minItems": shape[0], "maxItems": shape[0]}
    return {"type": "array", "items": _nested(spec, shape[1:]), **size}


def _element(datatype: str) -> dict[str, Any]:
    if datatype in INTEGERS:
        least, most = INTEGERS[datatype]
        return {"type": "integer", "minimum": least, "maximum": most}
    return {"type": {"BOOL": "boolean", "BYTES": "string"}.get(datatype, "number")}


def _defs(model: Model) -> dict[str, Any]:
    assert model.program is not None
    own = model.program.takes.get("$defs", {})
    return {**(own if isinstance(own, dict) else {}), "answer": dict(model.program.gives)}
