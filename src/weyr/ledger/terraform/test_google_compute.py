"""What do Google's machines, disks, clusters and buckets cost? By hand, from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.offers import Purchase
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.google_compute import sustained
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage

HOURS = 730
CATALOGUE = Catalogue.shipped()


def priced(*resources: Resource, usage: dict[str, Any] | None = None) -> Estimate:
    return estimate(Resources(resources), Usage(usage or {}), CATALOGUE, date(2026, 11, 1))


def made(address: str, **values: Any) -> Resource:
    return Resource(address, address.split(".")[0], {"zone": "us-central1-a", **values}, "")


def machine(kind: str, **values: Any) -> Resource:
    return made("google_compute_instance.m", machine_type=kind, **values)


MACHINES: dict[str, tuple[Resource, Decimal]] = {
    "a small one that never gets cheaper": (machine("e2-medium"), HOURS * Decimal("0.03351")),
    "N1 for a whole month, 30 % off": (machine("n1-standard-4"), HOURS * Decimal("0.19") * Decimal("0.7")),
    "N2 for a whole month, 20 % off": (machine("n2-standard-8"), HOURS * Decimal("0.3885") * Decimal("0.8")),
    "an L4 that is in the price": (machine("g2-standard-4"), HOURS * Decimal("0.70683")),
    "two T4 beside N1": (
        machine("n1-standard-4", guest_accelerator=[{"type": "nvidia-tesla-t4", "count": 2}]),
        HOURS * (Decimal("0.19") + 2 * Decimal("0.35")) * Decimal("0.7"),
    ),
    "on spot, as it was last seen": (
        machine("n1-standard-4", scheduling=[{"preemptible": True}]),
        HOURS * CATALOGUE.offers(instance="n1-standard-4", purchase=Purchase.SPOT)[0].usd_per_hour,
    ),
    "made to measure": (
        machine("e2-custom-4-8192"), HOURS * (4 * Decimal("0.02289") + 8 * Decimal("0.003067"))
    ),
}  # fmt: skip


@pytest.mark.parametrize(("of", "cost"), MACHINES.values(), ids=MACHINES.keys())
def test_a_machine_costs_its_hours_and_its_disk(of: Resource, cost: Decimal) -> None:
    """With a boot disk of 10 GB at 0.04 each."""
    assert priced(of).total == pytest.approx(cost + Decimal("0.4"), abs=Decimal("0.1"))


def test_what_runs_for_a_part_of_the_month_gets_less_off() -> None:
    """N1 for half of it: the first quarter at the full price, the second at 80 %."""
    rate = CATALOGUE.rate("gce", "us-central1", "accelerator.nvidia-tesla-t4", provider="gcp")
    assert rate is not None
    assert sustained(rate, "n1-standard-4", Decimal(365)).amount == Decimal("0.35") * Decimal("0.9")
    assert sustained(rate, "e2-medium", Decimal(365)) is rate


def test_a_disk_is_as_large_as_what_it_is_made_from() -> None:
    """A snapshot of a disk of 20 GB becomes a disk of 20 GB."""
    source = made("google_compute_disk.a", size=20)
    snapshot = made("google_compute_snapshot.s", source_disk=Unknown(("google_compute_disk.a",)))
    copy = made("google_compute_disk.b", snapshot=Unknown(("google_compute_snapshot.s",)), type="pd-ssd")
    assert priced(source, snapshot, copy).total == 20 * (Decimal("0.04") + Decimal("0.026") + Decimal("0.17"))


def test_a_cluster_has_its_nodes_in_each_of_its_zones() -> None:
    """Two nodes in each of three zones, and the control plane at 0.10 an hour."""
    cluster = Resource(
        "google_container_cluster.c", "google_container_cluster", {"location": "us-central1", "initial_node_count": 2}
    )
    node = HOURS * Decimal("0.03351") + 100 * Decimal("0.04")
    assert priced(cluster).total == HOURS * Decimal("0.1") + 6 * node
    pooled = Resource(cluster.address, cluster.type, {**cluster.values, "remove_default_node_pool": True})
    assert priced(pooled).total == HOURS * Decimal("0.1")


def test_a_bucket_pays_for_what_is_in_it_and_what_leaves() -> None:
    """1,000 GiB at 0.02, and 2,000 GB to the world: 1,024 at 0.12, the rest at 0.11."""
    bucket = Resource("google_storage_bucket.b", "google_storage_bucket", {"location": "US-CENTRAL1"})
    usage = {bucket.address: {"storage_gb": 1000, "monthly_egress_data_transfer_gb": {"worldwide": 2000}}}
    assert priced(bucket, usage=usage).total == 20 + 1024 * Decimal("0.12") + 976 * Decimal("0.11")


def test_extended_memory_is_named_and_not_priced() -> None:
    """Nobody here knows its price."""
    (named,) = priced(machine("custom-2-15360-ext")).unpriced
    assert "extended memory" in named.why
