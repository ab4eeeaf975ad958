"""A plan by a running server reckons with what the stack's own meters counted, and says so."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from one_user import User

from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import EGRESS_FAR, STORAGE, Catalogue
from weyr.store.database import Database
from weyr.store.home import Home
from weyr.store.ledger import LedgerStore

LAKE, HOURS, GIB = Ref("busy", "bucket", "lake"), 730, 2**30
STACK = "stack: busy\nbudgets: {month: {limit: 500 USD, then: alert}}\nbuckets: {lake: {}}\n"


def test_a_plan_tells_what_was_measured_and_a_usage_file_beats_it(user: User) -> None:
    """Who plans a change of what has run for a month need not guess: 700 GiB left the bucket, and a bit is free."""
    user.weyr("server", "start")
    user.write(STACK)
    assumed = user.weyr("plan").out
    with a_metered_month(user):
        measured, priced = user.weyr("plan").out, user.asked("plan")["cost"]["objects"][0]
        user.write("bucket/lake: {egress: 1GB}\n", "usage.yaml")
        told = user.weyr("plan", "--usage", "usage.yaml").out

    assert "stored 1 GiB assumed" in assumed
    assert "egress 700 GiB measured (over 30d10h)" in measured
    assert "stored 30 GiB measured (now)" in measured
    assert {one["name"]: one["origin"] for one in priced["assumptions"]}["egress"] == "measured"
    egress = next(line for line in priced["lines"] if line["sku"] == EGRESS_FAR)
    assert egress["quantity"] == pytest.approx(700 * GIB, rel=1e-3)
    assert egress["micros"] > 50_000_000, "about 600 GiB of it are paid for"
    assert "egress 953.7 MiB from usage.yaml:1" in told
    assert "stored 30 GiB measured (now)" in told


@contextmanager
def a_metered_month(user: User) -> Iterator[None]:
    """As if the loop had looked at the bucket twice a day: its meters are the server's own. They close at the end."""
    db = Database(Home(user.home).database)
    ledger, now = Ledger(LedgerStore(db), Catalogue.shipped()), time.time()
    began = now - HOURS * 3600
    for hour in (*range(0, HOURS, 12), HOURS):
        usages = [
            Usage("bucket", STORAGE, 30 * GIB, since=None),
            Usage("bucket", EGRESS_FAR, 700 * GIB * hour // HOURS, since=began),
        ]
        with db.write() as connection:
            ledger.read(connection, LAKE, usages, "aws/fargate", began + hour * 3600)
    yield
    with db.write() as connection:
        ledger.close(connection, LAKE, "bucket", time.time())
    db.close()
