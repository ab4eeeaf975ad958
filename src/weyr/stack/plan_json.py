"""A plan for programs: plain JSON whose fields stay. What people read is in `render`, what is kept is the Plan.

Fields are added, never renamed; `format` goes up if one has to change its meaning.
"""

from typing import Any

from weyr.core.assumptions import HOURS_A_MONTH, Assumption
from weyr.core.diagnostic import Diagnostic
from weyr.stack.markdown import plan_markdown
from weyr.stack.render import plan_text, summary_line
from weyr.stack.steps import Amount, BudgetLeft, Candidate, CommitmentUse, CostLine, FieldChange, ObjectCost, Plan, Step

FORMAT = 1


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as dicts, lists and scalars. Specs are left out: their values may be nobody's business."""
    counts = plan.counts
    return {
        "format": FORMAT,
        "id": plan.id,
        "stack": plan.stack,
        "parent": plan.parent,
        "on": plan.on.engine if not plan.is_removal else "",
        "is_removal": plan.is_removal,
        "made_at": plan.made_at,
        "has_changes": plan.has_changes,
        "is_blocked": bool(plan.fatal),
        "summary": summary_line(plan),
        "text": plan_text(plan),
        "markdown": plan_markdown(plan),
        "counts": {
            "create": counts.create,
            "change": counts.change,
            "replace": counts.replace,
            "destroy": counts.destroy,
        },
        "steps": [_step(step) for step in plan.steps],
        "cost": {
            "currency": plan.currency,
            "price_as": plan.price_as,
            "before": _amount(plan.before),
            "after": _amount(plan.after),
            "delta_micros": plan.after.micros - plan.before.micros,
            "one_run": _amount(plan.runs) if plan.runs else None,
            "standing": _amount(plan.standing),
            "once_micros": sum(cost.once_micros for cost in plan.once),
            "run_rate_micros_per_hour": round(plan.standing.micros / HOURS_A_MONTH),
            "objects": [_cost(cost) for cost in plan.costs],
            "budgets": [_budget(budget) for budget in plan.budgets],
            "may_pass_budgets": plan.may_pass,
        },
        "drift": [{"ref": str(drift.ref), "text": drift.text} for drift in plan.drift],
        "findings": [diagnostic_json(finding) for finding in plan.findings],
    }


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A Diagnostic as every interface of Weyr sends it."""
    place = diagnostic.place
    return {
        "severity": diagnostic.severity.value,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
        "place": {"file": place.file, "line": place.line, "column": place.column} if place else None,
        "ref": diagnostic.ref,
        "suggestion": diagnostic.suggestion,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "action": step.action.value,
        "symbol": step.action.symbol,
        "ref": str(step.ref),
        "kind": step.ref.kind,
        "name": step.ref.name,
        "generation": step.generation,
        "from_generation": step.from_generation,
        "reason": step.reason,
        "needs": [str(ref) for ref in step.needs],
        "fields": [_field(field) for field in step.fields],
    }


def _field(field: FieldChange) -> dict[str, Any]:
    return {"path": field.path, "old": field.old, "new": field.new, "is_replacing": field.is_replacing}


def _amount(amount: Amount) -> dict[str, Any]:
    """`is_complete` False: some of it has no price, so the true amount is higher."""
    return {
        "micros": amount.micros,
        "least_micros": amount.least,
        "most_micros": amount.most,
        "is_complete": not amount.unpriced,
        "unpriced": list(amount.unpriced),
    }


def _cost(cost: ObjectCost) -> dict[str, Any]:
    return {
        "ref": str(cost.ref),
        "before": _amount(cost.before),
        "after": _amount(cost.after),
        "delta_micros": cost.after.micros - cost.before.micros,
        "one_run": _amount(cost.run) if cost.run else None,
        "one_run_before": _amount(cost.run_before) if cost.run_before else None,
        "once_micros": cost.once_micros,
        "notes": list(cost.notes),
        "assumptions": [_assumption(one) for one in cost.assumptions],
        "lines": [_line(line) for line in cost.lines],
        "candidates": [_candidate(candidate) for candidate in cost.candidates],
        "commitment": _commitment(cost.commitment) if cost.commitment else None,
    }


def _commitment(use: CommitmentUse) -> dict[str, Any]:
    """In a month. `utilisation` is how much of it is used, `coverage` how much of what it could cover it does."""
    return {
        "fee_micros": use.fee_micros,
        "covers_micros": use.covers_micros,
        "covered_micros": use.covered_micros,
        "coverable_micros": use.coverable_micros,
        "utilisation": round(use.utilisation, 4),
        "coverage": round(use.coverage, 4),
    }


def _assumption(one: Assumption) -> dict[str, Any]:
    """Hours, seconds, bytes or a bare number, by `measure`."""
    return {
        "name": one.name,
        "measure": one.measure.name.lower(),
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "origin": one.origin.value,
        "said": one.said,
    }


def _line(line: CostLine) -> dict[str, Any]:
    """`micros` null: no price is known. `once_micros`: what is paid at once, of which this is a month's part."""
    return {
        "sku": line.sku,
        "quantity": line.quantity,
        "hours": line.hours,
        "micros": line.micros,
        "note": line.note,
        "once_micros": line.once_micros,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "month": _amount(candidate.month),
        "is_chosen": candidate.is_chosen,
        "why": candidate.why,
    }


def _budget(budget: BudgetLeft) -> dict[str, Any]:
    """`spent_micros` and `left_micros` null: nothing is known of the running period."""
    return {
        "ref": str(budget.ref),
        "limit_micros": budget.limit_micros,
        "expected": _amount(budget.expected) if budget.expected else None,
        "period": budget.period,
        "now": budget.now,
        "spent_micros": budget.spent_micros,
        "left_micros": budget.left_micros,
    }
