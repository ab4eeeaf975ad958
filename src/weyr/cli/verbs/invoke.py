"""`weyr invoke`: calls a function as any caller would, or asks what became of an event."""

import json
import sys
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.client import HttpClient
from weyr.cli.completing import functions
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Stack
from weyr.cli.place import admin_token
from weyr.cli.screen import put, put_json, say
from weyr.cli.select import the_object
from weyr.core.diagnostic import Diagnostic, UserError

TIMEOUT_S = 960.0
"""Longer than any function may take."""
app = verb_app()


@verb(app, 'weyr invoke function/hello --data \'{"name": "Ada"}\'\nweyr invoke function/hello --later')
def invoke(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="A function: function/hello.", autocompletion=functions)],
    stack: Stack = "",
    data: Annotated[
        str, typer.Option("--data", metavar="JSON", help="The event; @FILE reads a file, - standard input.")
    ] = "null",
    path: Annotated[str, typer.Option("--path", help="The path after the function's address.")] = "/",
    is_later: Annotated[bool, typer.Option("--later", help="Do not wait: print the event's id.")] = False,
    delay: Annotated[str, typer.Option("--delay", metavar="DURATION", help="With --later: not before that.")] = "",
    key: Annotated[str, typer.Option("--key", help="With --later: the same key twice is one event.")] = "",
    result: Annotated[str, typer.Option("--result", metavar="ID", help="What became of an event.")] = "",
    is_dead: Annotated[bool, typer.Option("--dead", help="List the events that failed for good.")] = False,
    is_reviving: Annotated[bool, typer.Option("--revive", help="Try those again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Call a function and print its answer.

    It exits with 1 where the function failed.
    """
    session: Session = ctx.obj
    client = reader(session.home)
    row = the_object(client, ref, stack)
    url = str(row.outputs.get("url") or "")
    if row.ref.partition("/")[0] != "function" or not url:
        detail = f"{row.ref} is no function that has an address now."
        raise UserError(Diagnostic("Nothing to call", detail, suggestion=f"weyr describe {row.ref}"))
    caller = _Caller(url, client.token if isinstance(client, HttpClient) else admin_token(session.home))
    if result or is_dead or is_reviving:
        own = f"/-/invocations/{result}" if result else "/-/revive" if is_reviving else "/-/dead"
        _show(caller.ask("POST" if is_reviving else "GET", own, b"", {}), as_json)
        return
    headers = {"Content-Type": "application/json"}
    if is_later or delay or key:
        headers |= {"Prefer": "respond-async"}
        headers |= {name: text for name, text in (("Weyr-Delay", delay), ("Idempotency-Key", key)) if text}
    _show(caller.ask("POST", path if path.startswith("/") else f"/{path}", _event(data), headers), as_json)


class _Caller:
    """One who may call the function. Raises: UserError where nobody answers."""

    def __init__(self, url: str, token: str) -> None:
        self._parts, self._token = urlsplit(url), token

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        connection = HTTPConnection(self._parts.netloc, timeout=TIMEOUT_S)
        try:
            connection.request(
                method, self._parts.path + path, body, {"Authorization": f"Bearer {self._token}", **headers}
            )
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Weyr-Request-Id", ""), answer.read()
        except (OSError, HTTPException) as e:
            detail = f"The inference plane at {self._parts.netloc} does not answer: {e}."
            raise UserError(Diagnostic("The plane is away", detail, suggestion="weyr server status")) from e
        finally:
            connection.close()


def _event(data: str) -> bytes:
    """Raises: UserError for what is no JSON, or no file."""
    try:
        text = sys.stdin.buffer.read() if data == "-" else data.encode()
        if data.startswith("@"):
            text = Path(data[1:]).read_bytes()
        json.loads(text)
    except (OSError, ValueError) as e:
        raise UserError(Diagnostic("The event is not JSON", f"{e}.", suggestion='--data \'{"name": "Ada"}\'')) from e
    return text


def _show(answer: tuple[int, str, bytes], as_json: bool) -> None:
    status, id, body = answer
    value: Any = body.decode("utf-8", "replace")
    with suppress(ValueError):
        value = json.loads(value)
    if as_json:
        named = value.get("id", "") if isinstance(value, dict) else ""
        put_json({"status": status, "id": id or named, "answer": value})
    elif status < 400:
        put(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
    else:
        said = f"{value.get('error')}: {value.get('message', '')}" if isinstance(value, dict) else str(value)
        say(f"{status} {said}" + (f"\nIts lines in the log begin with [{id}]." if id else ""))
    if status >= 400:
        raise typer.Exit(FAILED)
