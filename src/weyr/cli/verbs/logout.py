"""`weyr logout`: forget the token that `weyr login` kept."""

from typing import Annotated

import typer

from weyr.cli.group import Session, verb, verb_app
from weyr.cli.persons import address_of, keep, logins_of
from weyr.cli.screen import say
from weyr.core.diagnostic import Diagnostic, UserError

app = verb_app()


@verb(app, "weyr logout")
def logout(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="[URL]", help="Another server's address than the last one's.")] = "",
) -> None:
    """Forget a token that was kept.

    It stays good until it is revoked: weyr token revoke NAME.
    """
    session: Session = ctx.obj
    kept = logins_of(session.home)
    address = address_of(url) if url else kept.current
    if url and address not in kept.tokens:
        known = ", ".join(sorted(kept.tokens)) or "none"
        raise UserError(Diagnostic("No such login", f"No token is kept for {address}. Kept: {known}."))
    if not address:
        say("Nobody is logged in: verbs speak with the data folder's own server.")
        return
    keep(session.home, kept.without(address))
    say(f"The token for {address} is forgotten here.")
