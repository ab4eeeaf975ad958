"""Budgets on the real server: submissions that race for what is left, the verbs that say so, and a Slack of our own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from one_user import User, until
from webhook import webhook

CPU_HOUR_MICROS = 40_480
"""AWS Fargate per vCPU-hour, in micro-USD."""
JOB = """\
stack: s{n}
jobs:
  work: {{run: "while [ ! -e go{n} ]; do sleep 0.1; done", time_limit: 1h, grace: 0s, resources: {{cpu: 1}}}}
"""


def test_racing_submissions_do_not_pass_a_team_s_budget(user: User) -> None:
    """Six people of one team submit at once what each may: two hours' worth is left, so two begin; the others say which
    budget lacks it, and the next begins when one has ended and left almost all of its hour."""
    user.weyr("team", "set", "vision", *(f"p{n}" for n in range(6)))
    assert user.asked("team", "list")["teams"] == [{"name": "vision", "members": [f"p{n}" for n in range(6)]}]
    with webhook(200) as door:
        user.weyr("secret", "set", "limits/slack", stdin=door.url)
        user.up(
            "stack: limits\nsecrets:\n  slack: {}\nbudgets:\n"
            "  vision: {limit: 0.09 USD, then: block, team: vision, alert_at: [0.0001%],\n"
            "           notify: [{slack: secret/slack}]}\n"
        )

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda n: submit(user, n), range(6)))
        until(lambda: len(held(user)) == 4 and len(running(user)) == 2, "two to run and four to be held")

        said = user.weyr("why", f"s{held(user)[0]}:job/work").out
        assert "limits:budget/vision: it is expected to cost 0.04048, more than is left of 0.09 USD" in said
        # A budget says at its next look what was set aside meanwhile.
        until(lambda: taken(the_budget(user)) >= 2 * CPU_HOUR_MICROS - 100, "the budget to tell of both")
        figures = the_budget(user)
        assert figures["of"] == "team vision"
        assert taken(figures) <= 90_000
        assert figures["left_micros"] == 90_000 - taken(figures)
        assert "limits:vision" in user.weyr("budgets").out
        assert user.asked("cost")["budgets"][0]["left_micros"] <= 90_000 - taken(figures)
        assert "limits:vision" in user.weyr("cost").out
        until(lambda: bool(door.got), "Slack to be told")
        assert "blocks" in door.got[0]

        plan = user.api("POST", "/v1/plans", {"text": JOB.format(n=9).replace("1h", "3h"), "file": "/s9.yaml"})
        status, said = user.request("POST", f"/v1/plans/{plan['id']}/apply", {"for": "p0"})
        assert status >= 400, said
        assert "it needs 0.12" in said, said

        first = running(user)[0]
        (user.folder / f"go{first}").touch()
        until(lambda: user.row("job/work", f"s{first}")["phase"] == "done", "the first to end")
        until(lambda: len(running(user)) == 2 and len(held(user)) == 3, "what it left over to be enough for another")
    assert the_budget(user)["reserved_micros"] <= 2 * CPU_HOUR_MICROS


def submit(user: User, n: int) -> None:
    plan = user.api("POST", "/v1/plans", {"text": JOB.format(n=n), "file": str(user.folder / f"s{n}.yaml")})
    user.api("POST", f"/v1/plans/{plan['id']}/apply", {"for": f"p{n}"})


def phases(user: User) -> dict[int, str]:
    rows = user.api("GET", "/v1/objects?kind=job")["objects"]
    return {int(row["stack"][1:]): row["phase"] for row in rows}


def held(user: User) -> list[int]:
    return [n for n, phase in phases(user).items() if phase == "held"]


def running(user: User) -> list[int]:
    return [n for n, phase in phases(user).items() if phase == "working"]


def taken(budget: Any) -> int:
    return int(budget["spent_micros"] + budget["reserved_micros"])


def the_budget(user: User) -> Any:
    (budget,) = user.asked("budgets")["budgets"]
    return budget
