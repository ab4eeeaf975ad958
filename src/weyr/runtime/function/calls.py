"""How is a function called with an event, and what becomes of what it gives back? A Python function, or a command."""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

from weyr.runtime.function.context import Context
from weyr.runtime.function.lines import tagged

Answer = tuple[dict[str, Any], bytes]
"""The header of the frame to send back, and its body."""

LAMBDA_FIELDS = {"statusCode", "headers", "body", "isBase64Encoded", "cookies", "multiValueHeaders"}


class Calls(Protocol):
    """One way to call a function."""

    is_async: bool

    def call(self, context: Context, body: bytes) -> Answer: ...
    async def call_async(self, context: Context, body: bytes) -> Answer: ...


def handler_calls(name: str) -> Calls:
    """The function at `module:function`, found from the working folder on. Raises: whatever its module raises."""
    module, _, function = name.partition(":")
    sys.path.insert(0, os.getcwd())
    target: Any = importlib.import_module(module)
    for part in function.split("."):
        target = getattr(target, part)
    return _Handler(target)


def command_calls(argv: list[str]) -> Calls:
    """A command that gets the event on standard input, and writes its result to standard output."""
    return _Command(argv)


class _Handler:
    def __init__(self, target: Callable[..., Any]) -> None:
        import inspect

        self._target = target
        self.is_async = inspect.iscoroutinefunction(target)
        parameters = [p for p in inspect.signature(target).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        self._takes_context = len(parameters) > 1 or any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self._event_type = _annotation(target, parameters[0].name) if parameters else None

    def call(self, context: Context, body: bytes) -> Answer:
        try:
            return written(self._target(*self._arguments(context, body)))
        except Exception as e:  # noqa: BLE001 - whatever a user's function raises is its answer
            return _failed(e)

    async def call_async(self, context: Context, body: bytes) -> Answer:
        try:
            return written(await self._target(*self._arguments(context, body)))
        except Exception as e:  # noqa: BLE001 - whatever a user's function raises is its answer
            return _failed(e)

    def _arguments(self, context: Context, body: bytes) -> tuple[Any, ...]:
        event = typed(read(body, context.content_type), self._event_type)
        return (event, context) if self._takes_context else (event,)


class _Command:
    is_async = False

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv

    def call(self, context: Context, body: bytes) -> Answer:
        env = {
            "WEYR_REQUEST_ID": context.request_id,
            "WEYR_EVENT_ATTEMPT": str(context.attempt),
            "WEYR_DEADLINE": f"{context.deadline:.3f}",
            "WEYR_TRIGGER": context.trigger,
            "WEYR_CONTENT_TYPE": context.content_type,
        }
        import subprocess

        done = subprocess.run(self._argv, input=body, capture_output=True, check=False, env={**os.environ, **env})
        if done.stderr:
            os.write(2, tagged(done.stderr.decode(errors="replace"), context.request_id))
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            message = f"it ended with exit code {done.returncode}" + (f": {said[0][:500]}" if said else "")
            return {"error": "CommandFailed", "message": message}, b""
        kind = "application/json" if _is_json(done.stdout) else "text/plain; charset=utf-8"
        return {"status": 200, "headers": {"content-type": kind}}, done.stdout

    async def call_async(self, context: Context, body: bytes) -> Answer:
        return self.call(context, body)


def read(body: bytes, content_type: str) -> Any:
    """An event as a function gets it: JSON as its value, everything else as bytes. Raises: ValueError."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return json.loads(body or b"null")
    return body


def typed(event: Any, wanted: Any) -> Any:
    """The event as what the function's first parameter is annotated with: a dataclass, or a model of pydantic's."""
    if hasattr(wanted, "model_validate"):
        return wanted.model_validate(event)
    if hasattr(wanted, "__dataclass_fields__") and isinstance(event, dict):
        return wanted(**event)
    return event


def _annotation(target: Callable[..., Any], parameter: str) -> Any:
    if not getattr(target, "__annotations__", None):
        return None
    from typing import get_type_hints

    return get_type_hints(target).get(parameter)


def written(result: Any) -> Answer:
    """A result as HTTP gives it back. What functions for Lambda return for HTTP is understood. Raises: TypeError."""
    if isinstance(result, dict) and isinstance(result.get("statusCode"), int) and result.keys() <= LAMBDA_FIELDS:
        body = str(result.get("body") or "").encode()
        if result.get("isBase64Encoded"):
            import base64

            body = base64.b64decode(body)
        headers = {str(name).lower(): str(value) for name, value in (result.get("headers") or {}).items()}
        return {"status": result["statusCode"], "headers": {"content-type": "application/json", **headers}}, body
    if isinstance(result, bytes | bytearray | memoryview):
        return {"status": 200, "headers": {"content-type": "application/octet-stream"}}, bytes(result)
    if hasattr(result, "model_dump_json"):
        return {"status": 200, "headers": {"content-type": "application/json"}}, result.model_dump_json().encode()
    if hasattr(result, "__dataclass_fields__"):
        import dataclasses

        result = dataclasses.asdict(result)
    return {"status": 200, "headers": {"content-type": "application/json"}}, json.dumps(result).encode()


def _failed(error: Exception) -> Answer:
    import traceback

    traceback.print_exc()
    return {"error": type(error).__name__, "message": str(error)[:2000]}, b""


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
