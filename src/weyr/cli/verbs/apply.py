"""`weyr apply`: carry out a plan that was made and read before, or refuse because the world has moved; or plan now."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.ask import confirmed
from weyr.cli.boundary import FAILED
from weyr.cli.connect import ensured
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, OverBudget, Timeout, Usage, Yes
from weyr.cli.plans import asked_by, plan_view, refuse_fatal, tell_changed_prices, tell_plan
from weyr.cli.screen import say
from weyr.cli.verbs.up import bring_up, end_unused, follow_up, newest_event
from weyr.core.diagnostic import Diagnostic, UserError

PLAN_ID = re.compile(r"[\w-]{1,64}")
STACK_FILES = frozenset({".yaml", ".yml"})
app = verb_app()


@verb(app, "weyr plan examples/digits --out digits.plan\nweyr apply digits.plan --yes")
def apply(
    ctx: typer.Context,
    plan: Annotated[
        str,
        typer.Argument(
            metavar="[PLANFILE|PLANID|FOLDER|FILE]",
            help="What weyr plan has kept; or a stack, to plan it now. Default: weyr.yaml here.",
            show_default=False,
        ),
    ] = "",
    yes: Yes = False,
    detach: Annotated[bool, typer.Option("--detach", help="Apply and return; do not follow.")] = False,
    timeout: Timeout = None,
    usage: Usage = None,
    over_budget: OverBudget = False,
    as_json: AsJson = False,
) -> None:
    """Carry out a plan that was made before, or plan a stack and carry that out.

    Refused, with nothing changed, where the stack is not any more what the plan was made for. What use a kept plan
    reckons with, and whether it may pass a budget, was said when it was made.
    """
    session: Session = ctx.obj
    if _is_stack(plan):
        path, command = Path(plan) if plan else None, f"weyr apply {plan}".strip()
        bring_up(session.home, path, usage, over_budget, yes, command, detach, timeout, as_json)
        return
    if usage is not None or over_budget:
        raise UserError(_decided(plan, usage))
    plan_id = _plan_id(plan)
    client, was_started = ensured(session.home, is_auto=True)
    is_wanted = False
    try:
        stored = plan_view(client.call("GET", f"/v1/plans/{plan_id}", **asked_by()))
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


def _is_stack(text: str) -> bool:
    """Whether it is a stack's folder or file, and not a plan."""
    path = Path(text)
    return path.is_dir() or path.suffix in STACK_FILES


def _decided(plan: str, usage: Path | None) -> Diagnostic:
    """A kept plan is what somebody has read: its figures, and what it may pass, are not changed behind their back."""
    options = " ".join(part for part in (f"--usage {usage}" if usage else "--over-budget", f"--out {plan}") if part)
    detail = f"{plan} is a plan that was made before, and what it reckons with was said then. Make it anew:"
    return Diagnostic("The plan is made already", detail, suggestion=f"weyr plan {options}")


def _plan_id(text: str) -> str:
    """The id that a plan file names, or the text itself where it is one. Raises: UserError."""
    path = Path(text)
    if not path.is_file():
        if PLAN_ID.fullmatch(text):
            return text
        detail = f"There is no file {text}, and no plan has such an id."
        raise UserError(Diagnostic("No such plan", detail, suggestion="weyr plan --out FILE"))
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
