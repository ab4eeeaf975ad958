"""What does a plan say, and how is it carried out? The few fields of a plan's JSON that verbs look at."""

import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weyr.cli.boundary import show
from weyr.cli.client import Client, diagnostic_of
from weyr.cli.screen import folded, say
from weyr.cli.stackfile import StackFile
from weyr.core.diagnostic import Diagnostic, Severity, UserError


def asked_by() -> dict[str, str]:
    """What tells the server for whom it is asked: the user of this machine who types."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return {}  # a user without a name, as in some containers
    return {"for": name}


@dataclass(frozen=True, slots=True)
class PlanView:
    """A stored plan: its id, its rendered text, and which generation of which objects stands when it is done."""

    id: str
    stack: str
    text: str
    has_changes: bool
    wanted: Mapping[str, int]
    findings: tuple[Diagnostic, ...]
    answer: Mapping[str, Any]


def plan_view(answer: Mapping[str, Any]) -> PlanView:
    """A plan as the API gives it."""
    steps = answer.get("steps") or ()
    standing = [step for step in steps if step.get("action") != "destroy"]
    return PlanView(
        id=str(answer.get("id", "")),
        stack=str(answer.get("stack", "")),
        text=str(answer.get("text", "")).rstrip("\n"),
        has_changes=bool(answer.get("has_changes", steps)),
        wanted={_ref_text(step.get("ref")): int(step.get("generation") or 0) for step in standing},
        findings=tuple(diagnostic_of(fields) for fields in answer.get("findings") or ()),
        answer=answer,
    )


def planned(client: Client, file: StackFile, usage: StackFile | None = None, over_budget: bool = False) -> PlanView:
    """The plan for a file. Raises: UserError with every problem in it, or in the usage file."""
    body: dict[str, object] = {"text": file.text, "file": str(file.path), "remove": False, **asked_by()}
    if usage is not None:
        # An empty file is sent, too: it is refused, where it would be taken for one that changed something.
        body |= {"usage": usage.text or "\n", "usage_file": str(usage.path)}
    if over_budget:
        body["over_budget"] = True
    return plan_view(client.call("POST", "/v1/plans", body))


def removal(client: Client, stack: str) -> PlanView:
    """The plan that removes a stack. Raises: UserError."""
    return plan_view(client.call("POST", "/v1/plans", {"stack": stack, "remove": True}))


def tell_changed_prices(plan: PlanView) -> None:
    """Says which prices are others than when the plan was made: what it shows is what held then."""
    prices = plan.answer.get("prices") or {}
    for change in prices.get("changed") or ():
        say(f"Since this plan was made, {change}. It was reckoned by the prices of {prices.get('dated')}.")


def refuse_fatal(plan: PlanView) -> None:
    """Raises: UserError where the plan's own findings forbid to apply it; warnings are shown."""
    fatal = tuple(f for f in plan.findings if f.severity is Severity.FATAL)
    if fatal:
        raise UserError(*fatal)
    # The plan's text tells warnings too; they are shown apart only where there is no text.
    if plan.findings and not plan.text:
        show(plan.findings)


def tell_plan(plan: PlanView) -> None:
    """Shows a plan to somebody who is about to be asked."""
    say(folded(plan.text, sys.stderr))
    say()


def _ref_text(ref: object) -> str:
    if isinstance(ref, Mapping):
        return f"{ref.get('kind')}/{ref.get('name')}"
    return str(ref).rpartition(":")[2]
