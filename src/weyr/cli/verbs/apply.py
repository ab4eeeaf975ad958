"""`weyr apply`: carry out a plan that was made and read before, or refuse because the world has moved."""

import json
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.ask import confirmed
from weyr.cli.boundary import FAILED
from weyr.cli.connect import ensured
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Timeout, Yes
from weyr.cli.plans import asked_by, plan_view, refuse_fatal, tell_changed_prices, tell_plan
from weyr.cli.screen import say
from weyr.cli.verbs.up import end_unused, follow_up, newest_event
from weyr.core.diagnostic import Diagnostic, UserError

app = verb_app()


@verb(app, "weyr plan examples/digits --out digits.plan\nweyr apply digits.plan --yes")
def apply(
    ctx: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLANFILE|PLANID", help="From weyr plan.")],
    yes: Yes = False,
    detach: Annotated[bool, typer.Option("--detach", help="Apply and return; do not follow.")] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Carry out a plan that was made before.

    Refused, with nothing changed, where the stack is not any more what the plan was made for.
    """
    session: Session = ctx.obj
    plan_id = _plan_id(plan)
    client, was_started = ensured(session.home, is_auto=True)
    is_wanted = False
    try:
        stored = plan_view(client.call("GET", f"/v1/plans/{plan_id}"))
        tell_plan(stored)
        tell_changed_prices(stored)
        refuse_fatal(stored)
        is_wanted = not stored.has_changes or confirmed("Apply this plan?", yes, f"weyr apply {plan}")
    finally:
        if was_started and not is_wanted:
            end_unused(client)
    if not is_wanted:
        say("Nothing was changed.")
        raise typer.Exit(FAILED)
    after = newest_event(client, stored.stack)
    client.call("POST", f"/v1/plans/{plan_id}/apply", asked_by())
    if not detach:
        follow_up(client, stored, after, timeout, as_json)


def _plan_id(text: str) -> str:
    """The id that a plan file names, or the text itself where there is no such file."""
    path = Path(text)
    if not path.is_file():
        return text
    try:
        plan_id = json.loads(path.read_text(encoding="utf-8"))["id"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise UserError(
            Diagnostic(
                "Not a plan",
                f"{path} is not a file that weyr plan --out has written.",
                suggestion=f"weyr plan --out {path}",
            )
        ) from e
    return str(plan_id)
