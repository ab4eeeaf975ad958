"""How does a plan tell of money? Rows of figures with what they take for granted, totals, and what budgets leave."""

from collections.abc import Iterable, Iterator, Sequence

from weyr.core.assumptions import HOURS_A_MONTH, Assumption, Origin
from weyr.core.units import money_text
from weyr.stack.steps import Amount, BudgetLeft, Candidate, ObjectCost, Plan
from weyr.stack.style import Line, Style, Token

REJECTED_MAX = 4
"""Ways not chosen that a plan's text tells of one object; its JSON has all of them."""


def cost_rows(plan: Plan) -> Iterator[Line]:
    """A row for each object, then what the month is made of, budgets, and ways that were not chosen."""
    rows = [(str(cost.ref), amounts(cost), ends_text(cost.after), notes(cost)) for cost in plan.costs]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1, 2)]
    for name, amount, ends, said in rows:
        figures = f"  {name:<{widths[0]}}  {amount:>{widths[1]}}"
        figures += f"  {ends:<{widths[2]}}" if widths[2] else ""
        yield (Token(figures), Token(f"  {said}" if said else "", Style.DIM))
    if said := month_text(plan):
        yield (Token(f"  {said}", Style.DIM),)
    for said in once_texts(plan):
        yield (Token(f"  {said}", Style.WARN),)
    yield from _budgets(plan)
    yield from _candidates(plan)


def amounts(cost: ObjectCost) -> str:
    """What it costs, or what it cost and will cost."""
    if cost.before.micros == cost.after.micros or cost.before == Amount():
        return figure(cost.after)
    return f"{figure(cost.before)} → {figure(cost.after)}"


def figure(amount: Amount) -> str:
    """An amount that is not known in full says so."""
    if not amount.unpriced:
        return money_text(amount.micros)
    return f"at least {money_text(amount.micros)}" if amount.micros else "unknown"


def ends_text(amount: Amount) -> str:
    """`0.00..32.85`; nothing where it is certain, or as good as certain."""
    least, most = money_text(amount.least), money_text(amount.most)
    return "" if amount.ends is None or least == most else f"{least}..{most}"


def run_text(cost: ObjectCost) -> str:
    """What one run costs, or cost and will cost; "" of what has no runs."""
    if cost.run is None:
        return ""
    was = cost.run_before
    return figure(cost.run) if was is None or was == cost.run else f"{figure(was)} → {figure(cost.run)}"


def notes(cost: ObjectCost) -> str:
    """What a run costs, what the figure takes for granted, what is to be said of it, and what has no price."""
    each = f"{run_text(cost)} a run" if cost.run is not None and cost.run.micros != cost.after.micros else ""
    unpriced = f"no price for {', '.join(cost.after.unpriced)}" if cost.after.unpriced else ""
    return "; ".join(part for part in (each, assumed_text(cost.assumptions), *cost.notes, unpriced) if part)


def assumed_text(assumptions: Iterable[Assumption]) -> str:
    """`replicas 2, hours 73 assumed`: figures from one place stand together, those that nobody said come last."""
    by_whence: dict[str, list[str]] = {}
    for one in sorted(assumptions, key=lambda one: one.origin is Origin.DEFAULT):
        # What is taken to be nothing is left out, unless somebody said so.
        if one.value or one.high or one.origin is Origin.USAGE:
            by_whence.setdefault(one.whence, []).append(f"{one.name} {one.figure}")
    return ", ".join(f"{', '.join(figures)} {whence}".rstrip() for whence, figures in by_whence.items())


def month_text(plan: Plan) -> str:
    """What of the month is there anyway, what runs add, and what one run of each costs; for a stack that has runs."""
    runs, standing = plan.runs, plan.standing
    if runs is None:
        return ""
    hourly = round(standing.micros / HOURS_A_MONTH)
    of_runs = plan.after.micros - standing.micros
    return (
        f"standing {money_text(standing.micros)} ({money_text(hourly)} per hour), runs {money_text(of_runs)}; "
        f"one run of each {figure(runs)}"
    )


def once_texts(plan: Plan) -> Iterator[str]:
    """`commitment/floor  1,314.00 at once, upfront; a month's part of it, 109.50, is in the figures above`."""
    for cost in plan.once:
        part = sum(line.micros or 0 for line in cost.lines if line.once_micros)
        yield (
            f"{cost.ref}: {money_text(cost.once_micros)} {plan.currency} is paid at once, upfront; "
            f"its part of a month, {money_text(part)}, is in the figures above"
        )


def budget_text(budget: BudgetLeft, currency: str) -> str:
    """`200.00 USD a month, 72.08 expected; 12.00 spent in 2026-11, 188.00 left`."""
    text = f"{money_text(budget.limit_micros)} {currency} a {budget.period}"
    if budget.expected is not None:
        text += f", {figure(budget.expected)} expected"
        text += f", {money_text(budget.above_micros)} above it" if budget.above_micros else ""
    if budget.spent_micros is None or budget.left_micros is None:
        return text
    left = money_text(budget.left_micros)
    return f"{text}; {money_text(budget.spent_micros)} spent or set aside in {budget.now}, {left} left"


def rejected(cost: ObjectCost) -> Sequence[Candidate]:
    """The ways that were not chosen, the cheapest first."""
    return [candidate for candidate in cost.candidates if not candidate.is_chosen]


def _budgets(plan: Plan) -> Iterator[Line]:
    if plan.budgets:
        yield ()
        yield (Token("Budgets:", Style.HEADING),)
    width = max((len(str(budget.ref)) for budget in plan.budgets), default=0)
    for budget in plan.budgets:
        style = Style.WARN if budget.above_micros else Style.PLAIN
        yield (Token(f"  {budget.ref!s:<{width}}  {budget_text(budget, plan.currency)}", style),)


def _candidates(plan: Plan) -> Iterator[Line]:
    compared = [cost for cost in plan.costs if rejected(cost)]
    if compared:
        yield ()
        yield (Token("Not chosen:", Style.HEADING),)
    rows = [(str(cost.ref), way) for cost in compared for way in rejected(cost)[:REJECTED_MAX]]
    widths = [max((len(text) for text in column), default=0) for column in (
        [name for name, _ in rows], [way.name for _, way in rows], [figure(way.month) for _, way in rows],
    )]  # fmt: skip
    for name, way in rows:
        amount = figure(way.month)
        yield (
            Token(f"  {name:<{widths[0]}}  {way.name:<{widths[1]}}  {amount:>{widths[2]}}"),
            Token(f"  {way.why}", Style.DIM),
        )
