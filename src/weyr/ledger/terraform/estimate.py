"""What do all of them cost together? Each resource is priced, free, or named as not priced."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

import yaml

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform import (
    azure,
    azure_ai,
    azure_analytics,
    azure_apps,
    azure_brokers,
    azure_cosmos,
    azure_databases,
    azure_delivery,
    azure_machines,
    azure_monitoring,
    azure_network,
    azure_services,
    azure_sql,
    azure_storage,
    brokers,
    buckets,
    caches,
    databases,
    delivery,
    google,
    google_compute,
    google_services,
    google_sql,
    guards,
    instances,
    keys_and_logs,
    machine_learning,
    managed,
    metered,
    network,
    searches,
    serverless,
    transfer,
    volumes,
)
from weyr.ledger.terraform.desk import Desk, Pricer
from weyr.ledger.terraform.lines import Estimate, Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.usage import Usage

PRICERS: Mapping[str, Pricer] = {
    **instances.PRICERS,
    **volumes.PRICERS,
    **network.PRICERS,
    **serverless.PRICERS,
    **buckets.PRICERS,
    **databases.PRICERS,
    **caches.PRICERS,
    **keys_and_logs.PRICERS,
    **machine_learning.PRICERS,
    **google.PRICERS,
    **metered.PRICERS,
    **transfer.PRICERS,
    **azure_ai.PRICERS,
    **azure_analytics.PRICERS,
    **azure_apps.PRICERS,
    **azure_brokers.PRICERS,
    **azure_cosmos.PRICERS,
    **azure_databases.PRICERS,
    **azure_delivery.PRICERS,
    **azure_machines.PRICERS,
    **azure_monitoring.PRICERS,
    **azure_network.PRICERS,
    **azure_services.PRICERS,
    **azure_sql.PRICERS,
    **azure_storage.PRICERS,
    **brokers.PRICERS,
    **google_compute.PRICERS,
    **google_services.PRICERS,
    **google_sql.PRICERS,
    **guards.PRICERS,
    **searches.PRICERS,
    **delivery.PRICERS,
    **managed.PRICERS,
}


def estimate(
    resources: Resources, usage: Usage, catalogue: Catalogue, today: date, *, with_free: bool = False
) -> Estimate:
    """Prices every resource. `with_free`: nothing else of the account uses up its monthly allowances."""
    placed, notes = _placed(transfer.with_transfers(resources, usage))
    desk = Desk(catalogue, placed, usage, today)
    priced: list[tuple[str, Part]] = []
    free: list[tuple[str, str]] = []
    unpriced: list[Unpriced] = []
    ignored: list[str] = []
    for resource in placed:
        pricer = PRICERS.get(resource.type)
        if pricer is None:
            if is_free(resource.type):
                free.append((resource.address, resource.type))
            else:
                unpriced.append(Unpriced(resource.address, resource.type, f"no price is known for {resource.type}"))
            continue
        used = usage.of(resource)
        part = pricer(desk, resource, used)
        stated = usage.by_address.get(resource.address, {})
        ignored += [
            f"{resource.address}: its usage `{key}` is not counted"
            for key in used.not_asked()
            if key.split(".")[0] in stated
        ]
        if isinstance(part, Unpriced):
            unpriced.append(part)
        elif part is None:
            free.append((resource.address, resource.type))
        elif why := _why_not(resource, part):
            unpriced.append(Unpriced(resource.address, resource.type, why))
        else:
            priced.append((resource.type, part))
    if with_free:
        priced = _with_allowances(priced)
    unused = tuple(
        f"{address}: its usage is stated, and there is no such resource"
        for address in usage.addresses_without(list(placed))
    )
    return Estimate(tuple(priced), tuple(free), tuple(unpriced), (*resources.notes, *notes, *unused, *ignored))


DEFAULT_REGIONS = {"aws": "us-east-1", "azurerm": "eastus", "google": "us-central1"}
"""Where prices are taken from when nobody says where the resources are; it is told."""


def _placed(resources: Resources) -> tuple[Resources, list[str]]:
    """The resources with a region each, and a note where that is a default."""
    placed, missing = [], set()
    for resource in resources:
        provider = resource.type.split("_")[0]
        if not resource.region and provider in DEFAULT_REGIONS and not _says_its_place(resources, resource):
            missing.add(provider)
            resource = replace(resource, region=DEFAULT_REGIONS[provider])
        placed.append(resource)
    notes = [
        f"no provider {name} says its region; it is priced in {DEFAULT_REGIONS[name]} (--region)"
        for name in sorted(missing)
    ]
    return Resources(tuple(placed), resources.notes), notes


def _says_its_place(resources: Resources, resource: Resource) -> bool:
    """Of Azure the resources say where they are, and not their provider; what costs nothing need not."""
    if not resource.type.startswith("azurerm_"):
        return False
    return resource.type not in PRICERS or bool(azure.place_of(resources, resource))


def _why_not(resource: Resource, part: Part) -> str:
    """A resource none of whose lines has a price is named, and not shown as if it cost nothing."""
    lines = list(part.all_lines())
    if not lines:
        return "nothing of it is paid by itself, as of machines on a dedicated host"
    if any(line.rate for line in lines):
        return ""
    return f"no price is known for {lines[0].priced_as}"


def _with_allowances(priced: list[tuple[str, Part]]) -> list[tuple[str, Part]]:
    """Gives each allowance of the account once, to the lines in their order."""
    left: dict[tuple[str, str, str], Decimal] = {}

    def given(line: Line) -> Line:
        if line.rate is None or line.quantity is None or not line.rate.free:
            return line
        key = (line.rate.service, line.rate.region, line.rate.name)
        taken = min(line.quantity, left.setdefault(key, line.rate.free))
        left[key] -= taken
        return replace(line, free=taken)

    def within(part: Part) -> Part:
        return Part(part.name, tuple(given(line) for line in part.lines), tuple(within(each) for each in part.parts))

    return [(kind, within(part)) for kind, part in priced]


MADE_HERE = frozenset({"archive", "cloudinit", "local", "null", "random", "template", "terraform", "time", "tls"})
"""Providers that make values and files and nothing in a cloud."""


def is_free(kind: str) -> bool:
    """Whether a resource of this type costs nothing by itself."""
    return kind in _free_types() or kind.split("_")[0] in MADE_HERE


@cache
def _free_types() -> frozenset[str]:
    text = (files(__package__) / "free.yaml").read_text()
    return frozenset(kind for kinds in yaml.safe_load(text).values() for kind in kinds)
