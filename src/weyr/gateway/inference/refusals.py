"""How does a caller learn that he is refused? In the words of the protocol that he speaks.

A client of OpenAI or Anthropic then raises its own exception with our sentence in it, and waits before it tries again.
"""

import json
import math

from weyr.wire.message import Response, refusal

_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_exceeded",
}
_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}

Fields = tuple[tuple[bytes, bytes], ...]


def refused(path: bytes, status: int, message: str, *fields: tuple[bytes, bytes]) -> Response:
    """The whole answer. `path` is what was asked of the endpoint."""
    if path.startswith(b"/v1/messages"):
        body = _anthropic(status, message)
    elif is_openai(path):
        body = _openai(status, message)
    else:
        return refusal(status, message, *fields)
    return Response(status, json.dumps(body).encode(), headers=fields)


def broken_off(path: bytes, message: str) -> bytes:
    """The event that ends a stream of events whose caller has used up a limit."""
    if path.startswith(b"/v1/messages"):
        return b"event: error\ndata: %b\n\n" % json.dumps(_anthropic(429, message)).encode()
    return b"data: %b\n\n" % json.dumps(_openai(429, message)).encode()


def retry_after(seconds: float) -> tuple[bytes, bytes]:
    """In whole seconds, as the header wants it, and never 0: a client would come again at once."""
    return b"retry-after", b"%d" % max(1, min(math.ceil(seconds), 31 * 86_400))


def is_openai(path: bytes) -> bool:
    return path.startswith(b"/v1/") and not path.partition(b"?")[0].endswith((b":predict", b":explain"))


def _openai(status: int, message: str) -> dict[str, object]:
    kind = _OPENAI_TYPES.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}}


def _anthropic(status: int, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(status, "api_error"), "message": message}}
