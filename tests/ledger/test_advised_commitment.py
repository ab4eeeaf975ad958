"""What the waste finder says of a commitment is what the stack file then declares, and what the plan reckons with."""

from weyr.compose.kinds import KINDS
from weyr.core.commitments import Form
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.ledger.advice.advise import commitments_of
from weyr.ledger.advice.commitment import Sold, Terms
from weyr.ledger.advice.values import Looked
from weyr.ledger.prices import CPU, Catalogue
from weyr.stack.editing import edited
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import World

FILE = """\
stack: shop
price_as: aws/g5.xlarge
budgets:
  month: {limit: 9000 USD}
services:
  web:
    run: python web.py
    scale: {min: 3, max: 3}
    resources: {cpu: 4, memory: 16GiB}
"""
DAY_MS = 1_795_348_800_000
"""2026-11-22."""


def test_a_finding_in_the_file_saves_in_the_plan_what_it_said() -> None:
    """Three machines all week: three are reserved, all of them are used, and the month is cheaper by what was told."""
    books = Catalogue.shipped().books
    book = books["aws/g5.xlarge"]
    price = book.price(CPU)
    assert price is not None
    each = price.hourly_micros(4000)
    sold = Sold(book.name, Form.RESERVED_INSTANCES, each, each * 63 // 100)
    offers = [Terms("offer", 370, 12, "list", sold)]
    (saving,) = commitments_of("shop", [3 * each] * 168, offers, Looked(DAY_MS))
    (change,) = saving.changes
    path = (KINDS["commitment"].plural, change.ref.name, *change.path)

    texts = FILE, edited(FILE, "weyr.yaml", [(path, change.value)])
    stacks = [parse_stack(text, "weyr.yaml", KINDS, price_lists=books) for text in texts]
    plans = [make_plan(stack, World("shop"), KINDS, book) for stack in stacks]

    assert [f for f in plans[1].findings if f.severity is Severity.FATAL] == []
    saved = plans[0].after.micros - plans[1].after.micros
    assert saving.micros_per_month is not None
    assert abs(saved - saving.micros_per_month) < 2000, "to the rounding of a month's hours"
    (own,) = [cost for cost in plans[1].costs if cost.ref == Ref("shop", "commitment", "g5-xlarge")]
    assert own.commitment is not None
    assert (own.commitment.utilisation, own.commitment.coverage) == (1.0, 1.0)
