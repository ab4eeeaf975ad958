"""What does the API promise, as an OpenAPI 3.1 document? Made from the route table and the schemas alone."""

from collections.abc import Sequence
from typing import Any

from weyr.server.api import API
from weyr.server.routes import ApiRoute, Media, Param, Tag
from weyr.server.schema_words import of
from weyr.server.schemas import SCHEMAS

SUMMARY = """The API of one Weyr server, on the loopback of the machine it runs on.

Send the token from `admin.token` in the data folder as `Authorization: Bearer ...`. Every refusal carries the list of
problems that the command line prints. Beside these routes the server speaks the MLflow REST API under
`/api/2.0/mlflow`; the object store speaks S3 and the endpoints the Open Inference Protocol v2, each on its own port
(see [the server's state](#get_server))."""


def document(version: str, url: str = "", routes: Sequence[ApiRoute] = API) -> dict[str, Any]:
    """The OpenAPI document. `url` is where this server listens; empty leaves that out."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Weyr", "version": version, "description": SUMMARY, "license": {"name": "Apache-2.0"}},
        **({"servers": [{"url": url}]} if url else {}),
        "tags": [{"name": tag.value} for tag in Tag],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _refusal(text) for status, text in _EVERYWHERE},
        },
    }


_EVERYWHERE = (
    (401, "No token, or one that nobody has."),
    (403, "The token's owner may not do this; the refusal is in the audit trail."),
)


def _operation(route: ApiRoute) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler,
        "tags": [route.tag.value],
        "summary": route.summary,
        "responses": _responses(route),
    }
    if route.detail:
        operation["description"] = route.detail
    if route.params:
        operation["parameters"] = [_parameter(param) for param in route.params]
    if route.request:
        operation["requestBody"] = {"required": True, "content": {Media.JSON.value: {"schema": of(route.request)}}}
    if not route.grant:
        operation["security"] = []
    return operation


def _responses(route: ApiRoute) -> dict[str, Any]:
    schema = of(route.response) if route.response else {"type": "string"}
    answers: dict[str, Any] = {
        str(route.status): {"description": route.summary, "content": {route.media.value: {"schema": schema}}}
    }
    for status, text in route.refusals:
        answers[str(status)] = _refusal(text)
    if route.grant:
        answers |= {str(status): {"$ref": f"#/components/responses/{status}"} for status, _ in _EVERYWHERE}
    return answers


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {Media.JSON.value: {"schema": of("Refusal")}}}


def _parameter(param: Param) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": param.type}
    if param.choices:
        schema["enum"] = list(param.choices)
    if param.default is not None:
        schema["default"] = param.default
    return {
        "name": param.name,
        "in": param.where.value,
        "required": param.is_required,
        "description": param.meaning,
        "schema": schema,
        **({"example": param.example} if param.example is not None else {}),
    }
