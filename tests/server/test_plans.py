"""Plans: made over a data folder with or without a server, applied only by one."""

from pathlib import Path

import pytest
from one_user import User

from weyr.cli.offline import offline_client
from weyr.compose.price_store import keep
from weyr.core.diagnostic import UserError
from weyr.ledger.prices import Catalogue
from weyr.store.database import Database
from weyr.store.kernel import all_objects, all_stacks

STACK = "stack: small\nbuckets: {lake: {}}\n"


def test_a_plan_made_again_elsewhere_begins_there(served: User) -> None:
    """The same file in two clones makes the same plan; applied, its jobs run where it was made last."""
    first = served.api("POST", "/v1/plans", {"text": STACK, "file": "/here/weyr.yaml"})
    again = served.api("POST", "/v1/plans", {"text": STACK, "file": "/there/weyr.yaml"})
    assert first["id"] == again["id"]

    served.api("POST", f"/v1/plans/{first['id']}/apply")

    assert served.api("GET", "/v1/stacks")["stacks"][0]["file"] == "/there/weyr.yaml"


def test_the_same_plan_twice_is_no_news(served: User) -> None:
    """Two people who bring the same stack up at once are both right."""
    text = STACK.replace("small", "twice")
    plan = served.api("POST", "/v1/plans", {"text": text, "file": "/here/weyr.yaml"})["id"]

    for _ in range(2):
        assert served.api("POST", f"/v1/plans/{plan}/apply")["plan"] == plan

    told = [event["event"] for event in served.events() if event["stack"] == "twice"]
    assert told.count("plan.applied") == 1


def test_without_a_server_a_plan_is_made_and_not_applied(tmp_path: Path) -> None:
    """Nobody holds the folder's lock then, and a server that starts meanwhile would not know what was wanted."""
    client = offline_client(tmp_path / "home")
    plan = client.call("POST", "/v1/plans", {"text": STACK, "file": "/here/weyr.yaml"})["id"]

    with pytest.raises(UserError, match="No server runs"):
        client.call("POST", f"/v1/plans/{plan}/apply")

    db = Database(tmp_path / "home" / "store.db")
    with db.read() as connection:
        assert all_stacks(connection) == []
    db.close()


def test_a_plan_keeps_the_prices_it_was_reckoned_by(tmp_path: Path) -> None:
    """What it shows is what held then; whoever reads it later is told which prices are others today."""
    home, shipped = tmp_path / "home", Catalogue.shipped()
    plan = offline_client(home).call("POST", "/v1/plans", {"text": STACK, "file": "/here/weyr.yaml"})
    assert plan["prices"] == {"version": shipped.book("aws/fargate").version, "dated": "2026-03-10", "changed": []}

    standard = "0.023 to 51200; 0.022 to 512000; 0.021"
    assert standard in shipped.texts["books.yaml"]
    dearer = shipped.texts["books.yaml"].replace(standard, "0.046 to 51200; 0.044 to 512000; 0.042")
    keep(home, {**shipped.texts, "books.yaml": dearer})
    later = offline_client(home).call("GET", f"/v1/plans/{plan['id']}")

    assert later["prices"]["changed"] == ["storage.standard costs 100% more"]
    assert later["prices"]["version"] == plan["prices"]["version"]
    assert later["cost"] == plan["cost"]


def test_reading_leaves_the_credentials_alone(tmp_path: Path) -> None:
    """A command that looks while a server starts must not overwrite whom the planes let in."""
    offline_client(tmp_path / "home").call("GET", "/v1/stacks")
    file = tmp_path / "home" / "credentials.json"
    assert not file.exists()


@pytest.mark.parametrize(("told", "owner"), [({"for": "ann"}, "ann"), ({}, "")])
def test_what_is_applied_is_of_whom_it_was_asked_for(served: User, told: dict[str, str], owner: str) -> None:
    """Who shares a queue is told apart by it: the command says who types, and a script may say nothing."""
    text = STACK.replace("small", f"of-{owner or 'nobody'}")
    plan = served.api("POST", "/v1/plans", {"text": text, "file": "/here/weyr.yaml"})["id"]
    served.api("POST", f"/v1/plans/{plan}/apply", told)
    db = Database(served.home / "store.db")
    with db.read() as connection:
        assert [row.owner for row in all_objects(connection) if row.ref.stack == f"of-{owner or 'nobody'}"] == [owner]
    db.close()


def test_nobody_has_an_impossible_name(served: User) -> None:
    """It is shown, and compared: a name is a word."""
    plan = served.api("POST", "/v1/plans", {"text": STACK.replace("small", "odd"), "file": "/here/weyr.yaml"})["id"]
    status, said = served.request("POST", f"/v1/plans/{plan}/apply", {"for": "a b"})
    assert (status, "up to 64 characters" in said) == (400, True)
