"""`weyr secret`: values go in by prompt or standard input, never as an argument, and never come out."""

import getpass
import sys
from typing import Annotated

import typer

from weyr.cli.connect import ensured, reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import clock, put, put_json, say, table
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME

VALUE_MAX_BYTES = 64 * 1024
app = verb_app("Set, list and remove secrets.")


@verb(app, 'printf %s "$API_KEY" | weyr secret set digits/api-key', name="set")
def set_secret(
    ctx: typer.Context,
    secret: Annotated[str, typer.Argument(metavar="STACK/NAME", help="Such as digits/api-key.")],
) -> None:
    """Set a secret to a value from standard input, or asked for without showing it.

    One line feed at the end of standard input is left out.
    """
    session: Session = ctx.obj
    stack, name = _address(secret)
    value = _value(secret)
    client, _ = ensured(session.home, is_auto=True)
    client.call("PUT", f"/v1/secrets/{stack}/{name}", {"value": value})
    say(f"{secret} is set. Tasks get it at their next start.")


@verb(app, "weyr secret list --stack digits", name="list")
def list_secrets(ctx: typer.Context, stack: Stack = "", as_json: AsJson = False) -> None:
    """List names and versions, never values."""
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/secrets", stack=stack)
    if as_json:
        put_json(answer)
        return
    rows = [
        [f"{s.get('stack', '')}/{s.get('name', '')}", str(s.get("version", "")),
         clock(float(s["updated_at"])) if s.get("updated_at") else ""]
        for s in answer.get("secrets") or []
    ]  # fmt: skip
    put(table(["secret", "version", "set"], rows)) if rows else say("There are no secrets.")


@verb(app, "weyr secret rm digits/api-key", name="rm")
def remove_secret(
    ctx: typer.Context, secret: Annotated[str, typer.Argument(metavar="STACK/NAME", help="Such as digits/api-key.")]
) -> None:
    """Remove a secret and all its versions."""
    session: Session = ctx.obj
    stack, name = _address(secret)
    client, _ = ensured(session.home, is_auto=True)
    client.call("DELETE", f"/v1/secrets/{stack}/{name}")
    say(f"{secret} is removed.")


def _address(text: str) -> tuple[str, str]:
    stack, _, name = text.partition("/")
    if NAME.fullmatch(stack) and NAME.fullmatch(name):
        return stack, name
    # The text is not repeated: somebody who mistakes the order may have typed the value here.
    raise UserError(Diagnostic("Not a secret's address", "Write STACK/NAME, such as digits/api-key."))


def _value(secret: str) -> str:
    if sys.stdin.isatty():
        value = getpass.getpass(f"Value of {secret} (not shown): ")
    else:
        try:
            data = sys.stdin.buffer.read(VALUE_MAX_BYTES + 2)
            value = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as e:
            raise UserError(
                Diagnostic("The value is not text", "A secret is UTF-8 text; encode a binary first.")
            ) from e
    if not value or len(value.encode()) > VALUE_MAX_BYTES:
        raise UserError(
            Diagnostic(
                "No usable value",
                f"A secret has between 1 and {VALUE_MAX_BYTES:,} bytes; nothing was changed.",
                suggestion=f"printf %s VALUE | weyr secret set {secret}",
            )
        )
    return value
