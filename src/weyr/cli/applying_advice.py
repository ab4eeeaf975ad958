"""How does a finding become a change? The file's new text is planned, shown, agreed to, written, and carried out.

In that order: a file is written only once somebody has seen what the change does, and what it saves.
"""

from collections.abc import Sequence

import typer

from weyr.cli.advice import Finding, changed_file, difference, file_of, may_be_applied
from weyr.cli.ask import confirmed
from weyr.cli.boundary import FAILED
from weyr.cli.client import HttpClient
from weyr.cli.money import amount
from weyr.cli.plans import asked_by, planned, refuse_fatal, tell_plan
from weyr.cli.screen import say
from weyr.cli.stackfile import StackFile, read_stack_file, replace_text
from weyr.cli.verbs.up import follow_up, newest_event
from weyr.core.diagnostic import Diagnostic, Place, UserError


def apply_advice(
    client: HttpClient,
    findings: Sequence[Finding],
    are_named: bool,
    is_yes: bool,
    timeout_s: float | None,
    as_json: bool,
) -> None:
    """Applies the findings that can be, of one stack. Raises: UserError; Exit where the answer is no."""
    wanted = [each for each in findings if each["changes"] and (are_named or may_be_applied(each))]
    _refuse_what_needs_hands(findings, are_named)
    for each in findings:
        if each not in wanted:
            say(left_out(each))
    if not wanted:
        say("Nothing was changed." if findings else "There is nothing to change.")
        return
    stacks = sorted({str(each["stack"]) for each in wanted})
    if len(stacks) > 1:
        detail = f"These findings are about {', '.join(stacks)}, and a plan is for one stack."
        raise UserError(
            Diagnostic("Several stacks", detail, suggestion=f"weyr cost advise --apply --stack {stacks[0]}")
        )
    before = file_of(client, stacks[0])
    after, wanted = _changed(before, wanted, are_named)
    if not wanted:
        say("Nothing was changed.")
        return
    plan = planned(client, after)
    say(difference(before, after) + "\n")
    tell_plan(plan)
    refuse_fatal(plan)
    say(f"This would save about {_sum_text(wanted)} per month.")
    if not confirmed("Change the file and apply this plan?", is_yes, "weyr cost advise --apply"):
        say("Nothing was changed.")
        raise typer.Exit(FAILED)
    _write(before, after)
    newest = newest_event(client, plan.stack)
    client.call("POST", f"/v1/plans/{plan.id}/apply", asked_by())
    say(f"{before.path} was changed.")
    follow_up(client, plan, newest, timeout_s, as_json)


def _changed(before: StackFile, wanted: list[Finding], are_named: bool) -> tuple[StackFile, list[Finding]]:
    """The file with the changes, and the findings that they are of; what was named must be among them, and of the rest
    each that needs a hand is told. Raises: UserError."""
    if are_named:
        return changed_file(before, wanted), wanted
    after, made = before, list[Finding]()
    for each in wanted:
        try:
            after = changed_file(after, [each])
            made.append(each)
        except UserError as e:
            say(f"Left out: {each['id']}: {' '.join(problem.detail for problem in e.diagnostics)}")
    return after, made


def left_out(finding: Finding) -> str:
    """Why a finding is not applied with the others, and what to do about it."""
    if finding["loses"]:
        return f"Left out, as {finding['loses']}: weyr cost advise --apply {finding['id']}"
    return f"Left out, as only a person can do it: {finding['id']}: {finding['by_hand']}."


def _refuse_what_needs_hands(findings: Sequence[Finding], are_named: bool) -> None:
    """Raises: UserError where something is named that no change of the file does."""
    by_hand = [each for each in findings if not each["changes"]] if are_named else []
    if by_hand:
        raise UserError(
            *(
                Diagnostic("Only a person can do this", f"{each['id']}: {each['by_hand']}.", ref=str(each["ref"]))
                for each in by_hand
            )
        )


def _write(before: StackFile, after: StackFile) -> None:
    """Puts the new text in place of the text that was planned from. Raises: UserError."""
    if read_stack_file(before.path).text != before.text:
        detail = "It was changed since it was read; nothing of it was written over."
        raise UserError(Diagnostic("The stack file has moved", detail, place=Place(str(before.path))))
    try:
        replace_text(before.path, after.text)
    except OSError as e:
        raise UserError(
            Diagnostic("The stack file cannot be written", f"{e.strerror}.", place=Place(str(before.path)))
        ) from e


def _sum_text(findings: Sequence[Finding]) -> str:
    largest: dict[str, int] = {}
    for each in findings:
        largest[each["ref"]] = max(largest.get(each["ref"], 0), int(each["micros_per_month"] or 0))
    return amount(sum(largest.values()), "USD")
