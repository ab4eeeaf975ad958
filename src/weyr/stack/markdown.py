"""How does a plan read as a comment on a pull request? Markdown: the change in cost first, details folded away."""

from collections.abc import Iterable, Iterator, Sequence

from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.units import money_text
from weyr.stack.money import budget_text, ends_text, figure, month_text, once_texts, rejected, run_text
from weyr.stack.render import line_text, plan_lines, summary_line
from weyr.stack.steps import Action, Amount, ObjectCost, Plan

_MARKS = {Action.CREATE: "+", Action.CHANGE: "~", Action.RETRY: "~", Action.REPLACE: "-/+", Action.DESTROY: "-"}
_FATAL, _WARN = ":no_entry:", ":warning:"


def plan_markdown(plan: Plan) -> str:
    """The comment, ending in a newline. Nothing in it changes but with the plan, so that a bot may replace its last."""
    parts = [
        _head(plan),
        "\n".join(_findings(plan.findings)),
        "\n".join(_objects(plan)),
        "\n".join(f"- {budget.ref}: {budget_text(budget, plan.currency)}" for budget in plan.budgets),
        _details("What the figures take for granted", _assumptions(plan.costs)),
        _details("What is free, cheaper or covered", _notes(plan.costs)),
        _details("Ways that were not chosen", _candidates(plan.costs)),
        _details("The whole plan", _fenced(plan)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(plan: Plan) -> str:
    change = _change(plan.before, plan.after)
    title = f"### Weyr: stack `{plan.stack}` {change} {plan.currency} per month"
    state = "**Refused:** a finding forbids to apply it." if plan.fatal else ""
    month = f"**{figure(plan.before)} → {figure(plan.after)} {plan.currency}** per month, priced as `{plan.price_as}`"
    month += f", between {ends.replace('..', ' and ')}." if (ends := ends_text(plan.after)) else "."
    split = f"{month_text(plan)}." if month_text(plan) else ""
    once = "\n".join(f"- {said}." for said in once_texts(plan))
    return "\n\n".join(part for part in (title, state, month, split, once) if part)


def _change(before: Amount, after: Amount) -> str:
    """`+212.98`; where a price is not known, what is known of it."""
    delta = after.micros - before.micros
    known = f"{'-' if delta < 0 else '+'}{money_text(abs(delta))}"
    return f"at least {known}" if after.unpriced else known


def _findings(findings: Iterable[Diagnostic]) -> Iterator[str]:
    for finding in findings:
        if finding.severity is Severity.INFO:
            continue
        mark = _FATAL if finding.severity is Severity.FATAL else _WARN
        where = f" (`{finding.place.file.rsplit('/', 1)[-1]}:{finding.place.line}`)" if finding.place else ""
        step = f" `{finding.suggestion}`" if finding.suggestion else ""
        yield f"- {mark} **{_cell(finding.summary)}**{where}: {_cell(finding.detail)}{step}"


def _objects(plan: Plan) -> Iterator[str]:
    if not plan.costs:
        return
    actions = {step.ref: _MARKS[step.action] for step in plan.steps}
    rows = [
        (
            actions.get(cost.ref, ""),
            f"`{cost.ref}`",
            figure(cost.before),
            figure(cost.after),
            _change(cost.before, cost.after) if cost.before != cost.after else "",
            ends_text(cost.after),
            run_text(cost),
        )
        for cost in plan.costs
    ]
    total = ("", "**total**", figure(plan.before), f"**{figure(plan.after)}**", _change(plan.before, plan.after))
    yield from _table(
        ("", "object", "before", "after", "change", "between", "one run"),
        "llrrrrr",
        [*rows, (*total, ends_text(plan.after), figure(plan.runs) if plan.runs else "")],
    )


def _assumptions(costs: Sequence[ObjectCost]) -> list[str]:
    rows = [
        (f"`{cost.ref}`", one.name, one.figure, one.whence or "the stack file")
        for cost in costs
        for one in cost.assumptions
    ]
    text = "Another figure: in a usage file (`weyr plan --usage FILE`) or below `usage:` in the stack file."
    return [*_table(("object", "figure", "value", "from"), "llll", rows), "", text] if rows else []


def _notes(costs: Sequence[ObjectCost]) -> list[str]:
    rows = [(f"`{cost.ref}`", note) for cost in costs for note in cost.notes]
    return list(_table(("object", "of its cost"), "ll", rows)) if rows else []


def _candidates(costs: Sequence[ObjectCost]) -> list[str]:
    rows = [
        (f"`{cost.ref}`", way.name, figure(way.month), way.why)
        for cost in costs
        for way in rejected(cost)
    ]  # fmt: skip
    return list(_table(("object", "way", "per month", "why not"), "llrl", rows)) if rows else []


def _fenced(plan: Plan) -> list[str]:
    """The steps as they are printed, without the money that stands above."""
    lines = [line_text(line) for line in plan_lines(plan)]
    until = next((at for at, line in enumerate(lines) if line.startswith(("Findings:", "Cost per month"))), -1)
    shown = [*lines[:until], summary_line(plan)]
    return ["```text", *(line.replace("```", "'''") for line in shown), "```"]


def _details(summary: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join((f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"))


def _table(heads: Sequence[str], sides: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---:' if side == 'r' else '---' for side in sides)}|"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"


def _cell(text: str) -> str:
    """Text that neither ends its cell nor becomes markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
