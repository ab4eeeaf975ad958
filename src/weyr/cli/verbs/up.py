"""`weyr up`: plan, ask, apply, follow, and say what stands."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.ask import confirmed
from weyr.cli.boundary import FAILED, INTERRUPTED, show
from weyr.cli.client import HttpClient
from weyr.cli.complaints import complaints
from weyr.cli.connect import ensured, stop
from weyr.cli.follow import Follower, Judge
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.objects import Outcome, Row, outcome_of
from weyr.cli.options import AsJson, OverBudget, Timeout, Usage, Yes
from weyr.cli.plans import PlanView, asked_by, planned, refuse_fatal, tell_plan
from weyr.cli.screen import put_json, say
from weyr.cli.stackfile import read_stack_file, read_usage_file
from weyr.cli.stages import stage
from weyr.cli.summary import stack_summary

app = verb_app()


@verb(app, "weyr up examples/digits --yes")
def up(
    ctx: typer.Context,
    path: Annotated[Path | None, typer.Argument(metavar="FOLDER|FILE", help="Default: weyr.yaml here.")] = None,
    yes: Yes = False,
    detach: Annotated[bool, typer.Option("--detach", help="Apply and return; do not follow.")] = False,
    timeout: Timeout = None,
    usage: Usage = None,
    over_budget: OverBudget = False,
    as_json: AsJson = False,
) -> None:
    """Bring a stack up and follow it until it stands.

    Starts the server if none runs. Ctrl-C stops following, never the stack.
    """
    session: Session = ctx.obj
    command = f"weyr up {path or ''}".strip()
    bring_up(session.home, path, usage, over_budget, yes, command, detach, timeout, as_json)


def bring_up(
    home: Path,
    path: Path | None,
    usage: Path | None,
    over_budget: bool,
    yes: bool,
    command: str,
    detach: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Plans a stack file, asks, applies and follows; `command` is what asks again."""
    file = read_stack_file(path)
    told = read_usage_file(usage) if usage else None
    client, was_started = ensured(home, is_auto=True)
    plan = _agreed(client, lambda: planned(client, file, told, over_budget), was_started, yes, command)
    if plan is None:
        say("Nothing was changed.")
        raise typer.Exit(FAILED)
    after = newest_event(client, plan.stack)
    client.call("POST", f"/v1/plans/{plan.id}/apply", asked_by())
    if detach:
        say(f"Applied. It comes up by itself; follow it with: weyr events --stack {plan.stack} --follow")
        return
    follow_up(client, plan, after, timeout, as_json)


def follow_up(client: HttpClient, plan: PlanView, after: int, timeout_s: float | None, as_json: bool) -> None:
    """Follows an applied plan to its end, prints what stands, and exits with how it went."""
    try:
        with stage() as shown:
            follower = Follower(client, plan.stack, shown, after)
            outcome = follower.until(_judge(plan), timeout_s)
    except KeyboardInterrupt:
        say(
            f"\nStopped following; {plan.stack} goes on. Follow it again with the same command, or take it down with:\n"
            f"  weyr down --stack {plan.stack}"
        )
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        objects = follower.ask("GET", "/v1/objects", stack=plan.stack)
        put_json({"stack": plan.stack, "plan": plan.id, "outcome": outcome.value, **objects})
    else:
        stack_summary(follower.client, plan.stack, follower.rows)
    if outcome is not Outcome.STANDS:
        say()
        show(complaints(follower.client, outcome, follower.rows))
        raise typer.Exit(FAILED)


def _judge(plan: PlanView) -> Judge:
    """How a followed plan ends. What stood and is gone was taken down by somebody else, and does not come back."""
    seen: set[str] = set()

    def judge(rows: Sequence[Row], quiet_s: float) -> Outcome | None:
        seen.update(row.ref for row in rows)
        return Outcome.REMOVED if seen and not rows else outcome_of(rows, plan.wanted, quiet_s)

    return judge


def _agreed(
    client: HttpClient, make: Callable[[], PlanView], was_started: bool, is_yes: bool, command: str
) -> PlanView | None:
    """The plan if the user wants it. A server that was started only to hear "no" is stopped again."""
    is_wanted = False
    try:
        plan = make()
        tell_plan(plan)
        refuse_fatal(plan)
        is_wanted = not plan.has_changes or confirmed("Apply this plan?", is_yes, command)
        return plan if is_wanted else None
    finally:
        if was_started and not is_wanted:
            end_unused(client)


def end_unused(client: HttpClient) -> None:
    """Stops a server that was started for nothing."""
    if not client.call("GET", "/v1/stacks").get("stacks"):
        stop(client, client.home)


def newest_event(client: HttpClient, stack: str) -> int:
    """The id of the last event before the plan is applied: what came before it was told already."""
    events = client.call("GET", "/v1/events", stack=stack, limit=1).get("events") or []
    return max((int(event["id"]) for event in events), default=0)
