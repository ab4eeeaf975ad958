"""What is told beside a fact is the next thing to type, and it works as it is written."""

import pytest

from weyr.cli.applying_advice import left_out
from weyr.cli.complaints import sentence
from weyr.cli.objects import Row
from weyr.cli.verbs.why import next_step
from weyr.core.phase import Phase

SENTENCES = {
    "budget/me: too little is left": "budget/me: too little is left.",
    "limits:budget/me: too little is left": "limits:budget/me: too little is left.",
    "it is suspended.": "It is suspended.",
}


@pytest.mark.parametrize("message", SENTENCES)
def test_an_address_has_no_capital(message: str) -> None:
    """Also where it begins with its stack: Limits:budget/me is nobody's."""
    assert sentence(message) == SENTENCES[message]


@pytest.mark.parametrize(("whose", "stack"), [("", "own"), ("limits:", "limits")])
def test_the_budgets_that_are_named_are_those_where_the_limit_is(whose: str, stack: str) -> None:
    """Among one's own there may be none at all."""
    row = Row("own", "job", "a", Phase.HELD, generation=1)
    assert next_step(row, f"job/a is held: {whose}budget/me: it is spent.").endswith(f"weyr budgets --stack {stack}")


def test_what_is_left_out_of_a_change_is_said_with_what_would_do_it() -> None:
    """Nothing to change, beside a list of findings, is no answer."""
    losing = {"id": "s:bucket/lake:old-checkpoints", "loses": "these checkpoints are deleted", "by_hand": ""}
    manual = {"id": "s:bucket/attic:unused-bucket", "loses": "", "by_hand": "copy what is worth it elsewhere"}
    assert [left_out(each) for each in (losing, manual)] == [
        "Left out, as these checkpoints are deleted: weyr cost advise --apply s:bucket/lake:old-checkpoints",
        "Left out, as only a person can do it: s:bucket/attic:unused-bucket: copy what is worth it elsewhere.",
    ]
