"""`weyr prices`: what machines and services cost on each cloud, where they are cheapest, and how old that is."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.bar import bar
from weyr.cli.group import Session, named_verb, verb, verb_app
from weyr.cli.options import AsJson, gibibytes
from weyr.cli.price_tables import (
    comparison_json,
    comparisons_table,
    nothing_kept,
    offer_json,
    offers_table,
    rate_json,
    rates_table,
    refresh_json,
    refresh_text,
)
from weyr.cli.screen import put, put_json, say
from weyr.compose.price_download import Absent
from weyr.compose.price_sources import (
    AWS,
    AZURE,
    from_aws,
    from_aws_service,
    from_azure,
    from_azure_storage,
    from_karpenter,
    from_skypilot,
)
from weyr.compose.price_store import catalogue_at, hold_shipped, keep
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.ledger.prices import Catalogue, Purchase, Rate
from weyr.ledger.prices.areas import area_named
from weyr.ledger.prices.aws_usages import OFFERS
from weyr.ledger.prices.from_aws_services import service_named
from weyr.ledger.prices.from_azure_storage import SERVICES, azure_service_named
from weyr.ledger.prices.merge import merged
from weyr.ledger.prices.rate_search import find_rates, is_of_rates, services_of
from weyr.ledger.prices.read_lists import PriceList, joined
from weyr.ledger.prices.search import Wish, compare, elsewhere, find, known_regions, known_words

app = verb_app("Find what machines and services cost, compare clouds, refresh the lists.")
named_verb(app, "find", "weyr prices A100 --spot --region eu")

ROWS = 20
RATES = 60
"""What S3 asks for in one region fits."""
MACHINES = "ec2"
"""What is fetched of AWS unless services are named."""
USUAL = ("T4", "L4", "A10G", "A100", "A100-80GB", "H100", "H200")


class Provider(StrEnum):
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


def _words(ctx: typer.Context, incomplete: str) -> list[str]:
    catalogue = _quietly(ctx)
    known = known_words(catalogue) | services_of(catalogue)
    return sorted(word for word in known if word.lower().startswith(incomplete.lower()))


def _regions(ctx: typer.Context, incomplete: str) -> list[str]:
    return sorted(region for region in known_regions(_quietly(ctx)) if region.startswith(incomplete))


def _fetched(incomplete: str) -> list[str]:
    return [name for name in (MACHINES, *sorted((*OFFERS, *SERVICES))) if name.startswith(incomplete)]


def _quietly(ctx: typer.Context) -> Catalogue:
    """What a shell completes from: a message in the middle of a line that is being typed helps nobody."""
    try:
        return catalogue_at(_home(ctx))
    except UserError:
        return Catalogue.shipped()


def _home(ctx: typer.Context) -> Path:
    session = ctx.find_object(Session)
    return session.home if session else Path("~/.weyr").expanduser()


What = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WHAT]...", help="Accelerators, machines or services.", autocompletion=_words),
]
Region = Annotated[
    str,
    typer.Option(
        parser=area_named, metavar="REGION|AREA", help="A region, or an area such as eu.", autocompletion=_regions
    ),
]
On = Annotated[Provider | None, typer.Option("--on", help="Only this provider.")]
Gpus = Annotated[int | None, typer.Option(min=1, help="With just so many accelerators.")]
Vcpus = Annotated[int, typer.Option(min=0, help="With at least so many vCPUs.")]
Memory = Annotated[
    float,
    typer.Option(parser=gibibytes, metavar="GIB", help="With at least so much memory, such as 16 or 16GiB."),
]


@verb(app, "weyr prices find A100 --spot --region eu", "find")
def find_offers(
    ctx: typer.Context,
    what: What = None,
    spot: Annotated[bool, typer.Option("--spot", help="On spot, each zone by itself.")] = False,
    reserved: Annotated[
        int | None, typer.Option(min=1, max=3, metavar="YEARS", help="Committed to for 1 or 3 years.")
    ] = None,
    region: Region = "",
    on: On = None,
    gpus: Gpus = None,
    vcpus: Vcpus = 0,
    memory: Memory = 0.0,
    is_all: Annotated[bool, typer.Option("--all", help=f"More than the {ROWS} cheapest, or {RATES} rates.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what machines cost for an hour, the cheapest first, or the rates of a service.

    A price that is not known is left out; one that is old says so. Needs no server.
    """
    catalogue, words, today = catalogue_at(_home(ctx)), tuple(what or ()), _today()
    purchase = _purchase(spot, reserved)
    if is_of_rates(catalogue, words):
        rates = find_rates(catalogue, words, on or "", region)
        _show_rates(catalogue, rates, is_all, as_json, today)
        return
    wish = Wish(words, False, on or "", region, purchase, _count(gpus), Decimal(vcpus), Decimal(memory))
    offers = find(catalogue, wish)
    shown = offers if is_all or as_json else offers[:ROWS]
    if as_json:
        put_json({"version": catalogue.version, "offers": [offer_json(offer, today) for offer in shown]})
    elif not offers:
        known = elsewhere(catalogue, wish) or "Leave out an option, or refresh the lists: weyr prices refresh"
        say(f"No price of that is known. {known}")
    else:
        put(offers_table(shown, today))
    if len(offers) > len(shown):
        say(f"{len(offers) - len(shown)} more: --all lists them.")


@verb(app, "weyr prices compare A100 H100 --region eu", "compare")
def compare_clouds(
    ctx: typer.Context,
    what: What = None,
    region: Region = "",
    gpus: Gpus = None,
    vcpus: Vcpus = 0,
    memory: Memory = 0.0,
    as_json: AsJson = False,
) -> None:
    """Show the cheapest of each cloud, on demand, on spot and committed, for an hour of one accelerator or machine.

    Without WHAT, for the usual accelerators; with --vcpus or --memory alone, for machines of at least that size.
    """
    catalogue, today = catalogue_at(_home(ctx)), _today()
    is_plain = not what and bool(vcpus or memory)
    count = Decimal(0) if is_plain and gpus is None else _count(gpus)
    words: list[tuple[str, ...]] = [()] if is_plain else [(word,) for word in what or USUAL]
    wishes = [Wish(each, True, "", region, None, count, Decimal(vcpus), Decimal(memory)) for each in words]
    rows = compare(catalogue, wishes)
    if as_json:
        put_json({"version": catalogue.version, "rows": [comparison_json(row, today) for row in rows]})
    elif not rows:
        say("No price of that is known.")
    else:
        put(comparisons_table(rows, today))


class Form(StrEnum):
    SKYPILOT = "skypilot"
    KARPENTER = "karpenter"


@verb(app, "weyr prices refresh aws --region eu-central-1 --service rds --service s3", "refresh")
def refresh(
    ctx: typer.Context,
    provider: Annotated[
        Provider | None, typer.Argument(metavar="[aws|azure]", help="Whose own list, fetched without credentials.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="A region to fetch; may be given again.", metavar="REGION")
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            metavar="SERVICE",
            help="The rates of a service, such as AWS's s3 or Azure's storage, not its machines; may be given again.",
            autocompletion=_fetched,
        ),
    ] = None,
    read_from: Annotated[
        tuple[Form, Path] | None,
        typer.Option("--from", metavar="FORM PATH", help="A list in SkyPilot's or Karpenter's form, on this machine."),
    ] = None,
    dated: Annotated[str, typer.Option(metavar="DAY", help="The day of a list that does not tell it.")] = "",
    shipped: Annotated[bool, typer.Option("--shipped", help="Go back to the prices that came with Weyr.")] = False,
    address: Annotated[str, typer.Option(metavar="URL", help="Where a mirror of the provider's list is.")] = "",
    as_json: AsJson = False,
) -> None:
    """Read newer prices in, and say which of them cannot be true and were left out.

    AWS serves its lists for EC2 and for its services without credentials, Azure its for virtual machines and blobs;
    on spot, Azure only. GCP serves its list to holders of an API key only: read it --from skypilot. What a plan was
    priced with is kept.
    """
    home, today = _home(ctx), _today()
    if shipped:
        say(f"Prices {hold_shipped(home).version}, which came with Weyr, hold again.")
        return
    catalogue = catalogue_at(home)
    found = _read(catalogue, provider, region or [], service or [], read_from, dated, address, today)
    result = merged(catalogue, found, today)
    if not result.kept:
        raise UserError(nothing_kept(found, result))
    version = keep(home, result.texts).version
    if as_json:
        put_json(refresh_json(found, result, version))
    else:
        put(refresh_text(found, result, version))


def _read(
    catalogue: Catalogue,
    provider: Provider | None,
    regions: list[str],
    services: list[str],
    read_from: tuple[Form, Path] | None,
    dated: str,
    address: str,
    today: date,
) -> PriceList:
    if (provider is None) == (read_from is None):
        raise typer.BadParameter("say whose list: aws or azure, or --from skypilot PATH, or --from karpenter PATH")
    if read_from is not None:
        form, path = read_from
        return from_skypilot(path, _day(dated)) if form is Form.SKYPILOT else from_karpenter(catalogue, path)
    if provider is Provider.GCP:
        detail = "Google's price list is served to holders of an API key only."
        suggestion = "weyr prices refresh --from skypilot FOLDER"
        raise UserError(Diagnostic("No list without credentials", detail, suggestion=suggestion))
    if not regions:
        raise typer.BadParameter("say of which region, such as --region eu-central-1; all of them are gigabytes")
    lists = []
    named = azure_service_named if provider is Provider.AZURE else service_named
    wanted = [each if each == MACHINES else named(each) for each in services or [MACHINES]]
    for region, what in product(regions, wanted):
        with bar(f"{provider} {f'{what} ' if services else ''}{region}") as progress:
            try:
                if provider is Provider.AZURE and what != MACHINES:
                    lists.append(from_azure_storage(address or AZURE, region, today.isoformat(), progress))
                elif provider is Provider.AZURE:
                    lists.append(from_azure(catalogue, address or AZURE, region, today.isoformat(), progress))
                elif what == MACHINES:
                    lists.append(from_aws(catalogue, address or AWS, region, progress))
                else:
                    lists.append(from_aws_service(what, address or AWS, region, progress))
            except Absent as e:
                near = did_you_mean(region, {offer.region for offer in catalogue.offers(provider="aws")} - {region})
                raise UserError(*(replace(each, detail=f"{each.detail}{near}") for each in e.diagnostics)) from e
    return joined(lists)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as e:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-08-20") from e


def _show_rates(catalogue: Catalogue, rates: list[Rate], is_all: bool, as_json: bool, today: date) -> None:
    if as_json:
        put_json({"version": catalogue.version, "rates": [rate_json(rate, today) for rate in rates]})
        return
    shown = rates if is_all else rates[:RATES]
    put(rates_table(shown, today))
    if len(rates) > len(shown):
        say(f"{len(rates) - len(shown):,} more: --all lists them; --region and a word of the name make them fewer.")


def _purchase(spot: bool, years: int | None) -> Purchase:
    if spot and years:
        raise typer.BadParameter("--spot and --reserved exclude each other")
    if years == 2:
        raise typer.BadParameter("commitments are for 1 or 3 years")
    if years:
        return Purchase.RESERVED_1Y if years == 1 else Purchase.RESERVED_3Y
    return Purchase.SPOT if spot else Purchase.ON_DEMAND


def _count(gpus: int | None) -> Decimal | None:
    return None if gpus is None else Decimal(gpus)


def _today() -> date:
    return datetime.now(UTC).date()
