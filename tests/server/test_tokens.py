"""Who else may call, and what for: a token is given with its rights, and no right is given that one lacks."""

import json
import shlex
from pathlib import Path

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


def test_a_person_reads_and_posts_with_a_token_of_their_own(served: User, tmp_path: Path) -> None:
    """From another user's account: no data folder of the administrator's is read, every refusal says which right is
    missing and how to get it, and journal and audit trail name the person."""
    token = served.weyr("token", "create", "eva", "--may", "api:read:*").out.strip()
    eva = User(tmp_path / "home", tmp_path)
    post = ("cost", "post", "--id", "eva-1", "--source", "openai", "--amount", "2 USD", "--stack", "digits",
            "--day", "2026-11-03")  # fmt: skip

    def said_by(token: str, *words: str, status: int = 0) -> str:
        return eva.weyr(*words, status=status, WEYR_TOKEN=token, WEYR_API_URL=served.url()).text

    for words in ("cost", "budgets", "cost units", "cost lines", "cost advise", "cost verify"):
        said_by(token, *words.split())
    refused = said_by(token, *post, status=1)
    right = "api:write:/v1/cost/entries"
    step = f"weyr token create eva --may 'api:read:*' --may {right}"
    said_by(token, "cost", "close", "2020-01", status=1)
    better = served.weyr(*shlex.split(step)[1:]).out.strip()
    gone = said_by(token, "cost", status=1)
    said_by(better, *post)
    credit = said_by(better, *({"2 USD": "-2 USD", "eva-1": "eva-2"}.get(word, word) for word in post), status=1)
    told = json.loads(served.weyr("cost", "lines", "--json").out)["lines"]
    audit = json.loads(served.weyr("audit", "--json").out)["events"]

    assert f"the right {right} is missing" in refused
    assert step in refused
    assert "the right ledger:write:/v1/cost/entries is missing" in credit, "it would give a spent limit room"
    assert "does not know the token from WEYR_TOKEN" in gone
    assert [line["who"] for line in told if line["entry"] == "eva-1"] == ["eva"]
    assert ("eva", "/v1/cost/periods") in {(event["principal"], event["resource"]) for event in audit}
    assert not eva.home.exists(), "a person needs no data folder"


def test_a_login_is_kept_until_it_is_forgotten(served: User, tmp_path: Path) -> None:
    """As the person whose token it is, from then on; the token is never on a command line."""
    token = served.weyr("token", "create", "finn", "--may", "api:read:*").out
    finn = User(tmp_path / "home", tmp_path)

    said = finn.weyr("login", served.url(), stdin=token)
    finn.weyr("cost")
    who = json.loads(finn.weyr("login", "--json").out)
    wrong = finn.weyr("login", served.url(), stdin="weyr_" + "x" * 43, status=1).err
    finn.weyr("cost")
    finn.weyr("logout")
    after = json.loads((finn.home / "logins.json").read_text())

    assert f"finn at {served.url()}" in said.out
    assert (who["name"], who["by"]) == ("finn", "weyr login")
    assert "does not know the token" in wrong
    assert '"/v1/me"' in served.weyr("audit", "--json").out, "also who only asks who he is, with a token of nobody's"
    assert token.strip() not in said.text
    assert after == {"current": "", "tokens": {}}
