"""Whose is a commitment's fee, where neither a person nor a tag says it? The one's that pays as much. Pure.

A provider names a commitment by an id of its own, which nobody here has ever seen. What it costs is known on both
sides: where one commitment of the journal and one of the bill come to the same, and to no other's, they are one.
"""

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from weyr.core.ref import Ref
from weyr.core.units import MICROS
from weyr.ledger.bills.bill import Bill, Resource
from weyr.ledger.bills.owners import Owners
from weyr.ledger.bills.posted import Posted
from weyr.ledger.bills.values import Kind

COMMITMENT = re.compile(r"savings.?plan|reserv|commit", re.IGNORECASE)
"""What the id or the service of a commitment has in it, at AWS, Google and Azure."""
NEAR = Decimal("0.10")
"""A discount, or a price that has changed since it was written down, makes less difference than this."""


def fees_of(bill: Bill, posted: Posted, owners: Owners) -> dict[Resource, Ref]:
    """The commitments on the bill that are one of ours each, and nobody else's."""
    theirs: dict[Resource, Decimal] = {}
    taken = set[Ref]()
    for (resource, *_), cell in bill.cells.items():
        fee = cell.amounts.get(Kind.FEE)
        if fee is None:
            continue
        known = owners.known(resource)
        if known is not None:
            taken.add(known)
        elif COMMITMENT.search(f"{resource.id} {resource.what}"):
            theirs[resource] = theirs.get(resource, Decimal(0)) + fee
    ours = {ref: micros for ref, micros in _ours(bill, posted).items() if ref not in taken}
    pairs = [
        (resource, ref)
        for resource, fee in theirs.items()
        for ref, micros in ours.items()
        if abs(fee * MICROS - micros) <= micros * NEAR
    ]
    of_resources, of_refs = Counter(resource for resource, _ in pairs), Counter(ref for _, ref in pairs)
    return {resource: ref for resource, ref in pairs if of_resources[resource] == of_refs[ref] == 1}


def _ours(bill: Bill, posted: Posted) -> Mapping[Ref, int]:
    """What each commitment of the journal costs in the days of the bill."""
    found: dict[Ref, int] = {}
    for at, ours in posted.found.items():
        if at.ref is not None and Kind.FEE in ours.kinds and bill.first_day <= at.day <= bill.last_day:
            found[at.ref] = found.get(at.ref, 0) + ours.kinds[Kind.FEE]
    return {ref: micros for ref, micros in found.items() if micros > 0}
