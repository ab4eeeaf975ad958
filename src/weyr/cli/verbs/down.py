"""`weyr down`: plan the removal, ask, remove, wait until nothing is left, and print the final bill."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.ask import confirmed
from weyr.cli.boundary import FAILED, INTERRUPTED
from weyr.cli.client import Client, HttpClient, ServerGone
from weyr.cli.completing import stacks
from weyr.cli.connect import ensured, leftovers, reader, stop
from weyr.cli.follow import Follower
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.money import amount
from weyr.cli.objects import Outcome
from weyr.cli.options import AsJson, Timeout, Yes
from weyr.cli.place import running
from weyr.cli.plans import PlanView, refuse_fatal, removal, tell_plan
from weyr.cli.screen import put, put_json, say
from weyr.cli.stackfile import read_stack_file
from weyr.cli.stages import stage
from weyr.cli.verbs.up import newest_event
from weyr.core.diagnostic import Diagnostic, UserError

STOPS_MAX = 4
"""How often a server is asked to stop, where it is killed each time while it does."""

app = verb_app()


@verb(app, "weyr down --stack digits --yes")
def down(
    ctx: typer.Context,
    path: Annotated[Path | None, typer.Argument(metavar="FOLDER|FILE", help="Default: weyr.yaml here.")] = None,
    stack: Annotated[
        str, typer.Option("--stack", metavar="NAME", help="Name the stack instead of its file.", autocompletion=stacks)
    ] = "",
    yes: Yes = False,
    keep_server: Annotated[bool, typer.Option("--keep-server", help="Leave the server running.")] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Take a stack down until nothing of it is left.

    Prints the final bill. Where no stack is left, a server that weyr up started ends too. Asking
    twice is harmless.
    """
    session: Session = ctx.obj
    name = stack or read_stack_file(path).stack
    if not _stands(reader(session.home), name):
        say(f"Nothing of {name} is there.")
        _end_server(session.home, keep_server)
        if as_json:
            put_json({"stack": name, "outcome": "absent"})
        return
    client, _ = ensured(session.home, is_auto=True)
    plan = removal(client, name)
    tell_plan(plan)
    refuse_fatal(plan)
    if not confirmed(f"Remove {name}?", yes, f"weyr down --stack {name}"):
        say("Nothing was changed.")
        raise typer.Exit(FAILED)
    client = _removed(client, plan, timeout)
    bill = client.call("GET", "/v1/cost", stack=name, by="object")
    if as_json:
        put_json({"stack": name, "outcome": "gone", "cost": bill})
    else:
        currency = str(bill.get("currency") or "USD")
        put(f"{name} is gone. It cost {amount(bill.get('total_micros'), currency)} in all.")
    _end_server(session.home, keep_server)


def _removed(client: HttpClient, plan: PlanView, timeout_s: float | None) -> HttpClient:
    """Applies a removal and follows it to its end; gives the client, which may be another by then."""
    try:
        client.call("POST", f"/v1/plans/{plan.id}/apply")
    except UserError:
        if _stands(client, plan.stack):
            raise
        return client  # a removal that was under way ended between our plan and this
    try:
        with stage() as shown:
            follower = Follower(client, plan.stack, shown, newest_event(client, plan.stack))
            outcome = follower.until(lambda rows, _: None if rows else Outcome.STANDS, timeout_s)
    except KeyboardInterrupt:
        say(f"\nStopped following; {plan.stack} goes on being removed. See what is left with weyr get.")
        raise typer.Exit(INTERRUPTED) from None
    if outcome is Outcome.TIMED_OUT:
        left = ", ".join(f"{row.ref} ({row.message or row.phase.value})" for row in follower.rows)
        raise UserError(
            Diagnostic(
                "Not gone in time",
                f"Still there: {left}. The removal goes on by itself; what runs is metered until it is gone.",
                suggestion=f"weyr down --stack {plan.stack}",
            )
        )
    return follower.client


def _stands(client: Client, stack: str) -> bool:
    if client.call("GET", "/v1/objects", stack=stack).get("objects"):
        return True
    stacks = client.call("GET", "/v1/stacks").get("stacks") or []
    return any((entry.get("stack") or entry.get("name")) == stack for entry in stacks)


def _end_server(home: Path, is_kept: bool) -> None:
    """Ends a server that `weyr up` started, and planes that outlived theirs, once no stack is left.

    One that is killed while it stops leaves planes behind: then another is asked.
    """
    has_stopped = False
    for _ in range(STOPS_MAX):
        client = reader(home)
        if client.call("GET", "/v1/stacks").get("stacks"):
            return
        if not isinstance(client, HttpClient):
            if not leftovers(home):
                break
            # Planes of a server that was killed: only a server knows how to end them well.
            client, _ = ensured(home, is_auto=True)
        if is_kept or not client.server.is_auto:
            return
        with suppress(ServerGone):
            stop(client, home)
        has_stopped = True
        if not running(home) and not leftovers(home):
            break  # Asking the folder itself would make in it what has just been removed.
    if has_stopped:
        say("No stack is left; the server has stopped.")
