"""How long do prices take? To answer a question from the lists that come with Weyr, and to read a provider's in.

    python bench/prices.py [--rows 500000]

The limit is Python's own `csv.DictReader` over the same rows, in the same run: what reading alone costs.
"""

import argparse
import csv
import resource
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import TypeVar

from weyr.ledger.prices import Catalogue
from weyr.ledger.prices.from_aws import read_aws
from weyr.ledger.prices.lint import lint
from weyr.ledger.prices.search import Wish, find

HEAD = (
    "SKU,TermType,Unit,PricePerUnit,Currency,LeaseContractLength,PurchaseOption,OfferingClass,Product Family,"
    "Instance Type,vCPU,Memory,Tenancy,Operating System,CapacityStatus,Pre Installed S/W,GPU,Region Code,operation\n"
)
KEPT = "A,OnDemand,Hrs,0.107,USD,,,,Compute Instance,m5.large,2,8 GiB,Shared,Linux,Used,NA,,eu-west-1,RunInstances\n"
PASSED = KEPT.replace("Linux", "Windows")
PART_KEPT = 100
"""Of AWS's list for EC2 about one row in so many is a Linux machine alone, on demand or paid monthly."""

Got = TypeVar("Got")


def rows(count: int) -> Iterator[str]:
    yield HEAD
    for number in range(count):
        yield KEPT if number % PART_KEPT == 0 else PASSED


def bulk(count: int) -> Iterator[str]:
    yield '"Publication Date","2026-11-20T18:02:11Z"\n'
    yield from rows(count)


def timed(what: str, work: Callable[[], Got]) -> tuple[float, Got]:
    began = time.perf_counter()
    got = work()
    took = time.perf_counter() - began
    print(f"{what:<58}{took * 1000:>10.1f} ms")
    return took, got


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    count = parser.parse_args().rows
    catalogue = Catalogue.shipped()
    _, offers = timed("read the shipped offers", lambda: catalogue.all_offers)
    wish = Wish(what=("A100",), region="eu", purchase=None)
    timed(f"find A100 in Europe among {len(offers):,}", lambda: find(catalogue, wish))
    timed("lint them", lambda: lint(offers, date(2026, 11, 26)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours, read = timed(f"AWS's form, {count:,} rows", lambda: read_aws(bulk(count), catalogue.machines, "bench"))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    limit, _ = timed("csv.DictReader alone", lambda: sum(1 for _ in csv.DictReader(rows(count))))
    print(f"\n{ours / limit:.2f} times the limit; {len(read.offers):,} offers kept, {grown / 1024:.0f} MiB more memory")


if __name__ == "__main__":
    main()
