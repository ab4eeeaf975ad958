"""What does an answer of the server say to whoever asked?"""

import json

import pytest

from weyr.cli.client import read_answer
from weyr.core.diagnostic import UserError

REFUSAL = {"diagnostics": [{"summary": "The journal cannot be read", "detail": "Its third page is damaged."}],
           "error_code": "BAD_REQUEST", "message": "Its third page is damaged."}  # fmt: skip


@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_is_one_whatever_its_status(status: int) -> None:
    """What took long began well, and cannot take its status back when it fails."""
    with pytest.raises(UserError, match="third page"):
        read_answer(status, b"\n\n" + json.dumps(REFUSAL).encode(), "GET /v1/cost/proof", "the server")


def test_findings_beside_an_answer_are_no_refusal() -> None:
    """A plan has diagnostics, too."""
    assert read_answer(200, b'{"diagnostics": [], "steps": []}', "POST /v1/plans", "the server")["steps"] == []
