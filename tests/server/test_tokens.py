"""Who else may call, and what for: a token is given with its rights, and no right is given that one lacks."""

import json

from one_user import User

LIMIT = "stack: limits\nbudgets: {{a: {{limit: 50 USD, team: {team}, then: block}}}}\n"


def said(served: User, token: str, text: str) -> list[str]:
    """What a plan of somebody with this token says."""
    status, answer = served.request("POST", "/v1/plans", {"text": text, "file": "/x/weyr.yaml"}, token)
    assert status == 200, answer
    findings = [found["summary"] for found in json.loads(answer)["findings"]]
    return [summary for summary in findings if summary != "Costs above the budget"]


def test_a_right_to_limit_a_team_is_given_with_a_token_and_ends_with_it(served: User) -> None:
    """What holds other people's work is nobody's by chance: it is given, listed, on the audit trail, and taken back."""
    token = served.weyr(
        "token", "create", "ann", "--may", "api:read:*", "--may", "api:write:*", "--may", "budget:limit:team/vision"
    ).out.strip()

    assert said(served, token, LIMIT.format(team="vision")) == []
    assert said(served, token, LIMIT.format(team="speech")) == ["Not yours to limit"]
    assert served.asked("token", "list")["tokens"] == [
        {"name": "ann", "grants": ["api:read:*", "api:write:*", "budget:limit:team/vision"]}
    ]
    assert token not in served.weyr("token", "list").out
    served.weyr("token", "revoke", "ann")
    status, _ = served.request("GET", "/v1/tokens", token=token)
    assert status == 401
    assert "it may api:read:*" in served.weyr("audit").out


def test_nobody_gives_what_he_may_not_do_himself(served: User) -> None:
    """Who may give tokens is not thereby the administrator."""
    given = served.api("PUT", "/v1/tokens/keeper", {"grants": ["access:write:*", "budget:limit:team/*"]})["token"]

    may = served.request("PUT", "/v1/tokens/bob", {"grants": ["budget:limit:team/vision"]}, given)[0]
    status, answer = served.request("PUT", "/v1/tokens/eve", {"grants": ["api:write:*", "budget:lmt:x"]}, given)
    name = served.request("PUT", "/v1/tokens/admin", {"grants": ["budget:limit:team/vision"]}, given)[0]

    assert (may, status, name) == (200, 400, 400)
    assert "You may not api:write:* yourself" in answer
    assert 'Did you mean \\"budget:limit\\"?' in answer
