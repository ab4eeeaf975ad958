"""Who pays for what nobody is named for? Shared costs and idle machines, spread over those who are. Pure.

Whole micro-units throughout: what is spread comes out at what there was, to the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.accounts import Cost, Row


def spread(cost: Cost, shares: Mapping[str, int] | None = None) -> Cost:
    """The bill with the row of "" shared out among the others: by what each has spent, or by fixed `shares`.

    Takes: `shares` are parts of their own sum, by key. Who is not among the rows gets a row.
    Raises: UserError where nobody is there to pay.
    """
    common = [row for row in cost.rows if row.key == ""]
    if not common:
        return cost
    named = {row.key: row for row in cost.rows if row.key}
    weights = shares if shares is not None else {key: max(0, row.micros) for key, row in named.items()}
    if sum(weights.values()) <= 0:
        detail = f"Nothing was spent under a {cost.by} of its own, so there is nobody to share the rest."
        suggestion = f"weyr cost --by {cost.by} --share a=60,b=40"
        raise UserError(Diagnostic("Nobody to spread over", detail, suggestion=suggestion))
    keys = sorted(weights)
    micros = divided(sum(row.micros for row in common), [weights[key] for key in keys])
    rates = divided(sum(row.rate_micros_per_hour for row in common), [weights[key] for key in keys])
    for key, part, rate in zip(keys, micros, rates, strict=True):
        row = named.get(key, Row(key, 0))
        named[key] = Row(key, row.micros + part, row.rate_micros_per_hour + rate)
    return replace(cost, rows=tuple(named[key] for key in sorted(named)))


def divided(whole: int, weights: Sequence[int]) -> list[int]:
    """A whole number in parts as large as their weights say, which add up to it: each rounded down, and what is left
    given, one by one, to those who lost most by that, the first of equals first."""
    total = sum(weights)
    assert total > 0, "somebody has a part"
    sign, whole = (-1, -whole) if whole < 0 else (1, whole)
    parts = [whole * weight // total for weight in weights]
    lost = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % total), i))
    for i in lost[: whole - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]


def shares_of(text: str) -> dict[str, int]:
    """`--share vision=60,language=40`. Raises: UserError, with every part that cannot be read."""
    shares: dict[str, int] = {}
    problems = []
    for part in text.split(","):
        key, _, weight = part.strip().partition("=")
        if not (key and weight.isascii() and weight.isdigit() and len(weight) <= 9):
            detail = f'A share is written NAME=PARTS, such as vision=60, in whole parts, and not "{part.strip()}".'
            problems.append(Diagnostic("Not a share", detail))
        elif key in shares:
            problems.append(Diagnostic("A share twice", f'"{key}" has {shares[key]} parts already.'))
        else:
            shares[key] = int(weight)
    if not problems and not any(shares.values()):
        problems.append(Diagnostic("Nobody to spread over", "Somebody has to have a part that is more than 0."))
    if problems:
        raise UserError(*problems)
    return shares
