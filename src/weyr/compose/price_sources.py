"""Where are price lists read from? Files of this machine, and the two that providers serve without credentials.

AWS serves a file of hundreds of megabytes a region, which is read as it comes and never held; Azure serves pages. GCP
serves its list to holders of an API key only, and AWS its spot prices to accounts only: neither is fetched here.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from weyr.compose.price_download import Absent, Fetcher, Progress, broken
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.prices import Catalogue
from weyr.ledger.prices.aws_usages import OFFERS
from weyr.ledger.prices.from_aws import read_aws
from weyr.ledger.prices.from_aws_services import read_service
from weyr.ledger.prices.from_azure import read_azure
from weyr.ledger.prices.from_azure_storage import PRODUCTS, read_azure_storage
from weyr.ledger.prices.from_karpenter import read_karpenter
from weyr.ledger.prices.from_skypilot import read_skypilot
from weyr.ledger.prices.read_lists import PriceList, joined

AWS = "https://pricing.us-east-1.amazonaws.com"
AZURE = "https://prices.azure.com"
PAGES_MAX = 2000
"""Of 100 or 1,000 prices each: the whole of Azure's virtual machines has fewer."""

FETCHER = Fetcher()


def from_aws(
    catalogue: Catalogue, address: str, region: str, progress: Progress, fetcher: Fetcher = FETCHER
) -> PriceList:
    """EC2 in one region. Raises: UserError, where it cannot be fetched or is something else."""
    source = _aws_list(address, "AmazonEC2", region)
    return fetcher.whole(source, lambda lines: read_aws(lines, catalogue.machines, source), progress)


def from_aws_service(
    service: str, address: str, region: str, progress: Progress, fetcher: Fetcher = FETCHER
) -> PriceList:
    """A service's rates in one region, from each list that has any of them.

    Raises: UserError, where they cannot be fetched or are something else.
    """
    lists = []
    for number, offer in enumerate(OFFERS[service]):
        source = _aws_list(address, offer, region)
        try:
            lists.append(fetcher.whole(source, partial(_read_service, service, region, source, offer), progress))
        except Absent:
            if not number:
                raise
            lists.append(PriceList(source, left_out=Counter({f"there is no list {offer} of {region}": 1})))
    return joined(lists)


def _aws_list(address: str, offer: str, region: str) -> str:
    return f"{address}/offers/v1.0/aws/{offer}/current/{quote(region)}/index.csv"


def _read_service(service: str, region: str, source: str, offer: str, lines: Iterator[str]) -> PriceList:
    return read_service(lines, service, region, source, offer)


def from_azure(
    catalogue: Catalogue, address: str, region: str, dated: str, progress: Progress, fetcher: Fetcher = FETCHER
) -> PriceList:
    """Virtual machines of one region, page by page. Raises: UserError, where a page cannot be fetched or read."""
    wanted = f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}'"
    first = f"{address}/api/retail/prices?$filter={quote(wanted)}"
    return read_azure(_pages(first, progress, fetcher), catalogue.machines, dated, first)


def from_azure_storage(
    address: str, region: str, dated: str, progress: Progress, fetcher: Fetcher = FETCHER
) -> PriceList:
    """What blobs cost in one region, by each kind of account. Raises: UserError, where a page cannot be fetched."""
    begins = f"{address}/api/retail/prices?$filter="
    where = f"serviceName eq 'Storage' and armRegionName eq '{region}'"
    asked = [quote(f"{where} and productName eq '{product}'") for product in PRODUCTS]
    items = (item for each in asked for item in _pages(begins + each, progress, fetcher))
    return read_azure_storage(items, region, dated, f"{begins}{quote(where)}")


def _pages(page: str, progress: Progress, fetcher: Fetcher) -> Iterator[dict[str, Any]]:
    first, got = page, 0
    for _ in range(PAGES_MAX):
        if not page:
            return
        if server_of(page) != server_of(first):
            detail = f"A page of {urlsplit(first).netloc} names {urlsplit(page).netloc} as the next one."
            raise UserError(Diagnostic("A price list leads elsewhere", detail))
        text = fetcher.whole(page, "".join, lambda _got, _size: None)
        try:
            told = json.loads(text, parse_float=Decimal)
            items, page_after = told["Items"], told.get("NextPageLink") or ""
        except (ValueError, KeyError, TypeError) as e:
            raise broken(page, e) from e
        got += len(text)
        progress(got, 0)
        yield from items
        page = page_after
    raise UserError(Diagnostic("A price list has no end", f"{first} has more than {PAGES_MAX:,} pages."))


def server_of(address: str) -> tuple[str, str, int]:
    """Whom an address asks. Azure writes its port into the next page's and leaves it out of the first."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def from_skypilot(path: Path, dated: str) -> PriceList:
    """A `vms.csv` in the folder of its cloud, or a folder of such folders. Where no day is given, the file's own holds.

    Raises: UserError, where there is none or it is of another form.
    """
    files = sorted(path.glob("**/vms.csv")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        detail = f"There is no vms.csv at {path}. SkyPilot's catalogue has one for each cloud, as in v8/aws/vms.csv."
        raise UserError(Diagnostic("No price list", detail))
    lists = []
    for file in files:
        day = dated or datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
        with file.open(encoding="utf-8", newline="") as lines:
            lists.append(read_skypilot(lines, file.absolute().parent.name, day, str(file)))
    return joined(lists)


def from_karpenter(catalogue: Catalogue, path: Path) -> PriceList:
    """A generated Go file. Raises: UserError, where there is none or it is of another form."""
    if not path.is_file():
        detail = (
            f"There is no file {path}. Karpenter's are called zz_generated.pricing_aws.go and zz_generated.pricing.go."
        )
        raise UserError(Diagnostic("No price list", detail))
    return read_karpenter(path.read_text(), catalogue.machines, str(path))
