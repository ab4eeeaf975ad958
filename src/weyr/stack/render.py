"""How does a plan read? Lines of styled pieces, from which plain text and a coloured terminal both come."""

from collections.abc import Iterable, Iterator

from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.units import money_text
from weyr.stack.money import cost_rows
from weyr.stack.steps import Action, Amount, FieldChange, Plan, Step
from weyr.stack.style import Line, Style, Token

_STEP_STYLES = {
    Action.CREATE: Style.CREATE,
    Action.CHANGE: Style.CHANGE,
    Action.RETRY: Style.CHANGE,
    Action.REPLACE: Style.REPLACE,
    Action.DESTROY: Style.DESTROY,
}
_FINDING_STYLES = {Severity.FATAL: Style.FATAL, Severity.WARN: Style.WARN, Severity.INFO: Style.INFO}
_NOTHING: Line = ()


def plan_lines(plan: Plan) -> tuple[Line, ...]:
    """The whole plan, one tuple of tokens for each line."""
    sections = (_steps(plan), _drift(plan), _findings(plan.findings), _costs(plan))
    lines: list[Line] = []
    for section in sections:
        written = list(section)
        lines += [*written, _NOTHING] if written else []
    return (*lines, (Token(summary_line(plan), Style.HEADING),))


def plan_text(plan: Plan) -> str:
    """The plan as plain text, ending in a newline."""
    return "".join(f"{line_text(line)}\n" for line in plan_lines(plan))


def line_text(line: Line) -> str:
    """One line without its styles."""
    return "".join(token.text for token in line).rstrip()


def summary_line(plan: Plan) -> str:
    """The last line of a plan, fit to be searched for."""
    counts = plan.counts
    if not plan.has_changes:
        return f"Plan: nothing to do.  {cost_text(plan.after, plan.currency)} per month."
    verbs = f"{counts.create} to create, {counts.change} to change, {counts.replace} to replace"
    delta = plan.after.micros - plan.before.micros
    cost = f"{cost_text(plan.after, plan.currency)} per month ({'-' if delta < 0 else '+'}{money_text(abs(delta))})"
    return f"Plan: {verbs}, {counts.destroy} to destroy.  {cost}."


def cost_text(amount: Amount, currency: str) -> str:
    """`About 12.34 USD`; an amount that is not known in full says so and is never shown as nothing."""
    if not amount.unpriced:
        return f"About {money_text(amount.micros)} {currency}"
    if amount.micros:
        return f"At least {money_text(amount.micros)} {currency}"
    return "Unknown cost"


def _steps(plan: Plan) -> Iterator[Line]:
    if not plan.has_changes:
        yield (Token(f"Stack {plan.stack} is as its file says.", Style.HEADING),)
        return
    if plan.is_removal:
        yield (Token(f"Weyr will remove everything of stack {plan.stack}:", Style.HEADING),)
    else:
        yield (Token(f"Weyr will do this to stack {plan.stack} on {plan.on.text}:", Style.HEADING),)
    yield _NOTHING
    if plan.was_on is not None:
        said = f"{plan.was_on.text} → {plan.on.text}"
        yield (Token("    ~ on", Style.CHANGE), Token(f"  {said}"), Token("  (what runs stays where it is)", Style.DIM))
    for step in plan.steps:
        yield from _step(step)


def _step(step: Step) -> Iterator[Line]:
    style = _STEP_STYLES[step.action]
    head = Token(f"{step.action.symbol:>5} {step.ref}", style)
    said = _said(step)
    yield (head, Token(f"  {said}", Style.DIM)) if said else (head,)
    width = max((len(field.path) for field in step.fields), default=0)
    for field in step.fields:
        yield _field(field, step.action, width)


def _said(step: Step) -> str:
    match step.action:
        case Action.CREATE | Action.RETRY:
            return step.reason
        case Action.CHANGE:
            return "in place"
        case Action.REPLACE:
            return "is removed and made anew"
        case Action.DESTROY:
            return ""


def _field(field: FieldChange, action: Action, width: int) -> Line:
    name = Token(f"{'':8}{field.path:<{width}}  ")
    if action is Action.CREATE:
        return (name, Token(field.new or ""))
    change = Token(f"{field.old or 'not set'} → {field.new or 'not set'}", _STEP_STYLES[action])
    return (name, change, Token("  (not possible in place)", Style.DIM)) if field.is_replacing else (name, change)


def _drift(plan: Plan) -> Iterator[Line]:
    if plan.drift:
        yield (Token("Changed outside Weyr:", Style.HEADING),)
        width = max(len(str(drift.ref)) for drift in plan.drift)
        for drift in plan.drift:
            yield (Token(f"  {drift.ref!s:<{width}}  ", Style.WARN), Token(drift.text))


def _findings(findings: Iterable[Diagnostic]) -> Iterator[Line]:
    for number, finding in enumerate(findings):
        if number == 0:
            yield (Token("Findings:", Style.HEADING),)
        head = Token(f"  {finding.severity.value:<5}", _FINDING_STYLES[finding.severity])
        where = " ".join(part for part in (str(finding.place or ""), finding.ref) if part)
        yield (head, Token(f"  {finding.summary}", Style.HEADING), Token(f"  {where}", Style.DIM))
        yield (Token(f"{'':9}{finding.detail}"),)
        if finding.suggestion:
            yield (Token(f"{'':9}try: {finding.suggestion}", Style.DIM),)


def _costs(plan: Plan) -> Iterator[Line]:
    if plan.costs:
        yield (Token(f"Cost per month, priced as {plan.price_as}:", Style.HEADING),)
        yield from cost_rows(plan)
