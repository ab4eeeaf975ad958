"""`weyr key`: API keys for programs that call endpoints. They are changed without a server, so that one that leaked
can be taken back whatever else is broken."""

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from weyr.access.api_keys import KeyRing
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, seconds
from weyr.cli.screen import clock, put, put_json, say, table
from weyr.core.api_keys import PRIORITIES, SCOPES, ApiKey
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.limit_fields import LimitFields
from weyr.core.limits import Limits
from weyr.core.ref import NAME
from weyr.core.schema import ValidationError, from_plain
from weyr.store.home import Home

app = verb_app("Make, list, rotate and revoke API keys.")

Id = Annotated[str, typer.Argument(metavar="ID", help="As `weyr key list` shows it.")]


def _choice(known: Any) -> Any:
    def check(value: str) -> str:
        if value not in known:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}")
        return value

    return check


@verb(app, "weyr key create --endpoint digits/chat --scope infer --limit requests_per_second=10 --expires 90d")
def create(
    ctx: typer.Context,
    endpoint: Annotated[
        list[str],
        typer.Option("--endpoint", metavar="STACK/NAME", help="What it may call; digits/* for all of a stack."),
    ],
    scope: Annotated[
        list[str], typer.Option("--scope", parser=_choice(SCOPES), metavar="SCOPE", help="infer, metadata or admin.")
    ] = ["infer"],  # noqa: B006 - typer reads it as the default
    limit: Annotated[
        list[str], typer.Option("--limit", metavar="FIELD=VALUE", help="Such as tokens_per_minute=60000; repeatable.")
    ] = [],  # noqa: B006
    priority: Annotated[
        str,
        typer.Option(
            parser=_choice(PRIORITIES), metavar="CLASS", help="The most a request may ask: high, normal, low."
        ),
    ] = "normal",
    expires: Annotated[
        float,
        typer.Option("--expires", parser=seconds, metavar="DURATION", help="When it ends by itself, such as 90d."),
    ] = 0.0,
    note: Annotated[str, typer.Option("--note", help="Whom it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once, on standard output, and only its hash is kept."""
    ring = _ring(ctx)
    endpoints = tuple(_route(text) for text in endpoint)
    key, token = ring.create(endpoints, tuple(dict.fromkeys(scope)), _limits(limit), priority, note, expires)
    _shown(key, token, as_json)


@verb(app, "weyr key list", name="list")
def list_keys(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List keys, their scopes and limits; never what callers show."""
    keys = _ring(ctx).keys()
    if as_json:
        put_json({"keys": [_plain(key) for key in keys]})
        return
    rows = [
        [key.id, " ".join(key.endpoints), "+".join(key.scopes), _limits_text(key.limits), key.priority,
         _end_text(key.expires_at), key.note]
        for key in keys
    ]  # fmt: skip
    head = ["key", "endpoints", "scopes", "limits", "priority", "expires", "note"]
    put(table(head, rows)) if rows else say("There are no API keys.")


@verb(app, "weyr key revoke k3x9")
def revoke(ctx: typer.Context, id: Id) -> None:
    """End a key now. The planes refuse it within a second, whether or not a server runs."""
    key = _ring(ctx).revoke(id)
    say(f"key {key.id} is revoked.")


@verb(app, "weyr key rotate k3x9 --overlap 1h")
def rotate(
    ctx: typer.Context,
    id: Id,
    overlap: Annotated[
        float, typer.Option("--overlap", parser=seconds, metavar="DURATION", help="How long the old word stays good.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Give a key a new word, with the scopes and limits that it has."""
    key, token = _ring(ctx).rotate(id, overlap)
    _shown(key, token, as_json)


@verb(app, "weyr key expire k3x9 --in 7d")
def expire(
    ctx: typer.Context,
    id: Id,
    within: Annotated[float, typer.Option("--in", parser=seconds, metavar="DURATION", help="From now; 0s for never.")],
) -> None:
    """Let a key end by itself in some time."""
    key = _ring(ctx).expire(id, within)
    say(f"key {key.id} expires: {_end_text(key.expires_at)}.")


def _ring(ctx: typer.Context) -> KeyRing:
    session: Session = ctx.obj
    home = Home(session.home)
    home.prepare()
    return KeyRing(home.api_keys, home.audit)


def _route(text: str) -> str:
    stack, slash, name = text.partition("/")
    if text == "*" or (slash and NAME.fullmatch(stack) and (name == "*" or NAME.fullmatch(name))):
        return text
    detail = f"{text!r} is not an endpoint's address: write STACK/NAME, STACK/* for all of a stack, or * for all."
    raise UserError(Diagnostic("Not an endpoint's address", detail, suggestion="weyr get endpoints"))


def _limits(words: list[str]) -> Limits:
    """Every problem at once. Raises: UserError."""
    written, problems = {}, []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in LimitFields.model_fields:
            problems.append(f"{word!r} is no FIELD=VALUE.{did_you_mean(name, LimitFields.model_fields)}")
        written[name] = value
    if not problems:
        try:
            fields: LimitFields = from_plain(LimitFields, written)
            return fields.limits
        except ValidationError as e:
            problems = [f"{error['loc'][0]}: {error['msg']}" for error in e.errors()]
    raise UserError(*(Diagnostic("Not a limit", problem) for problem in problems))


def _shown(key: ApiKey, token: str, as_json: bool) -> None:
    if as_json:
        put_json({**_plain(key), "token": token})
        return
    put(token)
    say(f"key {key.id} for {' '.join(key.endpoints)}. It is not shown again.")


def _plain(key: ApiKey) -> dict[str, Any]:
    hidden = {"sha256", "former_sha256"}
    return {name: value for name, value in asdict(key).items() if name not in hidden}


def _limits_text(limits: Limits) -> str:
    given = {name: value for name, value in asdict(limits).items() if value}
    money = {
        name: f"{name.removeprefix('micros_')}={value / 1e6:g}" for name, value in given.items() if "micros" in name
    }
    return " ".join(money.get(name, f"{name}={value:g}") for name, value in given.items())


def _end_text(at: float) -> str:
    if not at:
        return "never"
    return clock(at) if at > time.time() else "expired"
