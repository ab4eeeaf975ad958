"""`weyr token`: who else may call the API, and what for. `weyr key` is for callers of endpoints."""

from typing import Annotated

import typer

from weyr.cli.connect import ensured, reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say, table

app = verb_app("Give people and programs a token, and say what it may do.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; what it brings up is theirs.")]


@verb(app, "weyr token create ann --may api:read:* --may api:write:* --may budget:limit:team/vision")
def create(
    ctx: typer.Context,
    name: Name,
    may: Annotated[
        list[str],
        typer.Option("--may", metavar="RIGHT", help="Such as api:read:* or budget:limit:team/vision; repeatable."),
    ],
    as_json: AsJson = False,
) -> None:
    """Make a token, or another one in its place. It is shown once, on standard output, and only its hash is kept.

    A limit that holds what other people run takes the right budget:limit to one of those it counts: user/ann,
    team/vision, or a tag such as project/llm.
    """
    session: Session = ctx.obj
    client, _ = ensured(session.home, is_auto=True)
    made = client.call("PUT", f"/v1/tokens/{name}", {"grants": may})
    if as_json:
        put_json(made)
        return
    put(str(made["token"]))
    say(f"{name} may {', '.join(made['grants'])}. It is not shown again.")


@verb(app, "weyr token list", name="list")
def list_tokens(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List who has a token and what it may do; never the token."""
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/tokens")
    if as_json:
        put_json(answer)
        return
    rows = [[str(each["name"]), " ".join(each["grants"])] for each in answer.get("tokens") or []]
    put(table(["name", "may"], rows)) if rows else say("Nobody but the administrator has a token.")


@verb(app, "weyr token revoke ann")
def revoke(ctx: typer.Context, name: Name) -> None:
    """End a token now."""
    session: Session = ctx.obj
    client, _ = ensured(session.home, is_auto=True)
    client.call("DELETE", f"/v1/tokens/{name}")
    say(f"{name} has no token any more.")
