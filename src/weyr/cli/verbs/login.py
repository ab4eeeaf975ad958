"""`weyr login`: speak with a server as the person whose token it is. `weyr token create` gives one."""

import sys
from typing import Annotated, Any

import typer

from weyr.cli.client import HttpClient
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.persons import LOGIN, Person, address_of, keep, logins_of, person_of
from weyr.cli.screen import put, put_json, say
from weyr.core.diagnostic import Diagnostic, UserError

app = verb_app()


@verb(app, "weyr login\nweyr login http://10.0.0.7:8630 < token.txt")
def login(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="[URL]", help="The server's address; without it, say who is in.")] = "",
    as_json: AsJson = False,
) -> None:
    """Speak with a server as the person whose token it is.

    From now on, every verb does. Without an address, this says who that is.
    The token is asked for, or read from standard input, and kept in the data folder for your user alone. WEYR_TOKEN
    goes before it, with WEYR_API_URL for the address. `weyr logout` goes back to the data folder's own server.
    """
    session: Session = ctx.obj
    if not url:
        person = person_of(session.home)
        _tell(reader(session.home).call("GET", "/v1/me"), person, as_json)
        return
    address = address_of(url)
    person = Person(address, _token(address), LOGIN)
    me = HttpClient(person.server, session.home, person).call("GET", "/v1/me")
    keep(session.home, logins_of(session.home).with_login(address, person.token))
    _tell(me, person, as_json)


def _token(address: str) -> str:
    if sys.stdin.isatty():
        token = str(typer.prompt(f"Token for {address}", hide_input=True, err=True)).strip()
    else:
        token = sys.stdin.read().strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        detail = "A token is one word. The administrator makes one, which is shown once."
        raise UserError(Diagnostic("Not a token", detail, suggestion="weyr token create NAME --may api:read:*"))
    return token


def _tell(me: dict[str, Any], person: Person | None, as_json: bool) -> None:
    where = person.url if person else "the data folder's own server"
    by = f", by {person.told_by}" if person else ""
    if as_json:
        put_json({**me, "server": person.url if person else "", "by": person.told_by if person else "admin.token"})
        return
    put(f"{me['name']} at {where}{by}")
    say(f"May {', '.join(me['grants'])}.")
