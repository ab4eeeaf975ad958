"""What a user does not want to have written down is not, whatever shape a body has."""

import json

import pytest

from weyr.core.redact import REDACTED, WITHHELD, redaction_of

BODY = {"messages": [{"role": "user", "content": "my card is 4111111111111111"}], "user": {"id": 7, "mail": "a@b.c"}}
CASES = {
    "a field of each element": (
        ("messages[*].content",),
        {**BODY, "messages": [{"role": "user", "content": REDACTED}]},
    ),
    "one element": (("messages[0]",), {**BODY, "messages": [REDACTED]}),
    "every field": (("user.*",), {**BODY, "user": {"id": REDACTED, "mail": REDACTED}}),
    "what is not there": (("nothing[3].here",), BODY),
    "what text matches": (
        (r"/\d{16}/",),
        {**BODY, "messages": [{"role": "user", "content": f"my card is {REDACTED}"}]},
    ),
    "a number that matches": ((r"/^7$/",), {**BODY, "user": {"id": REDACTED, "mail": "a@b.c"}}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_rule_names_is_not_written(case: str) -> None:
    """Drift is looked for in the rest."""
    rules, left = CASES[case]

    assert redaction_of(rules).json(json.dumps(BODY)) == left


def test_what_cannot_be_read_is_withheld() -> None:
    """A body that was cut in the middle is no JSON, and the field may be in it all the same."""
    cut = json.dumps(BODY)[:60]
    with pytest.raises(ValueError, match="Unterminated"):
        redaction_of(("messages[*].content",)).json(cut)

    assert redaction_of(("messages[*].content",)).text(cut) == WITHHELD
    assert redaction_of(("/card/",)).text("my card") == f"my {REDACTED}"


@pytest.mark.parametrize("rule", ["", "/(/", "a b", "messages[x]", "messages[*"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    """A rule that means nothing would let everything through."""
    with pytest.raises(ValueError, match=r"path|regular expression"):
        redaction_of((rule,))
