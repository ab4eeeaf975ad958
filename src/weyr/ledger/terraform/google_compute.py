"""What do Google's machines, disks, addresses, clusters and buckets cost?

A machine that runs for much of a month gets cheaper by itself: N1 by 30 % for a whole month, N2, N2D and C2 by 20 %,
accelerators on them as N1. Source: cloud.google.com/compute/docs/sustained-use-discounts and /compute/all-pricing.
"""

import re
from decimal import Decimal

from weyr.ledger.prices.offers import Purchase
from weyr.ledger.prices.rates import Rate, flat
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.google import PROVIDER, region_of
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

QUARTERS = {
    "n1": ("1", "0.8", "0.6", "0.4"),
    "n2": ("1", "0.8678", "0.733", "0.6"),
}
"""Of the price on demand, what each quarter of a month costs that a machine runs for."""
SUSTAINED = {"n1": "n1", "f1": "n1", "g1": "n1", "m1": "n1", "n2": "n2", "n2d": "n2", "c2": "n2"}
DISKS = {
    "pd-standard": "Standard provisioned storage (pd-standard)",
    "pd-balanced": "Balanced provisioned storage (pd-balanced)",
    "pd-ssd": "SSD provisioned storage (pd-ssd)",
    "pd-extreme": "Extreme provisioned storage (pd-extreme)",
    "hyperdisk-extreme": "Hyperdisk provisioned storage (hyperdisk-extreme)",
}
DISK_GB = {"pd-standard": 500, "pd-balanced": 100, "pd-ssd": 100, "pd-extreme": 1000, "hyperdisk-extreme": 1000}
DISK_IOPS = {"pd-extreme": 100_000, "hyperdisk-extreme": 350_000}
BOOT_GB, NODE_GB, LOCAL_GB = 10, 100, 375
CUSTOM = re.compile(r"(?:(n1|n2|n2d|e2)-)?custom-(\d+)-(\d+)")
WITH_ACCELERATORS = ("a2-", "a3-", "a4-", "g2-", "g4-")
"""Families whose price has their accelerators in it."""
NODE_MACHINE = "e2-medium"
NODES = 3
"""Of a pool, in each zone, that says nothing."""
ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
ZONES_OF_REGION = 3
TEN_THOUSAND = Decimal(10_000)


def instance(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """Its machine, its disks, and accelerators that are not the family's own."""
    schedule = resource.block("scheduling")
    is_spot = schedule.flag("preemptible") or schedule.text("provisioning_model").upper() == "SPOT"
    hours = usage.number("monthly_hrs") or HOURS
    region, kind = region_of(resource), resource.text("machine_type")
    if kind.endswith("-ext"):
        return unpriced(resource, f"no price is known for the extended memory of {kind}")
    lines = machines(desk, kind, region, hours, Decimal(1), is_spot)
    boot = resource.block("boot_disk").block("initialize_params")
    lines.append(_disk(desk, boot.text("type", "pd-standard"), boot.number("size", BOOT_GB), region))
    scratch = len(resource.blocks("scratch_disk"))
    if scratch:
        suffix = ".spot" if is_spot else ""
        lines.append(
            _line(desk, "Local SSD provisioned storage", "GB", LOCAL_GB * scratch, f"local_ssd{suffix}", region)
        )
    for each in resource.blocks("guest_accelerator"):
        if not kind.startswith(WITH_ACCELERATORS):
            count = each.number("count", 1) or Decimal(1)
            lines.append(_accelerator(desk, each.text("type"), count * hours, region, hours, is_spot))
    return Part(resource.address, tuple(lines))


def machines(desk: Desk, kind: str, region: str, hours: Decimal, count: Decimal, is_spot: bool) -> list[Line]:
    """`count` of a machine, each for so many hours of the month; one made to measure by its cores and its memory."""
    option = "preemptible" if is_spot else "on-demand"
    match = CUSTOM.fullmatch(kind)
    if match:
        return _custom(desk, match, region, hours, count, option)
    found = desk.machine_rate(kind, region, Purchase.SPOT if is_spot else Purchase.ON_DEMAND, PROVIDER)
    rate = found if found is None or is_spot else sustained(found, kind, hours)
    title = f"Instance usage (Linux/UNIX, {option}, {kind})"
    return [Line(title, "hours", hours * count, rate, f"{kind} on Compute Engine, {option}, in {region}")]


def _custom(desk: Desk, match: re.Match[str], region: str, hours: Decimal, count: Decimal, option: str) -> list[Line]:
    family, cores, memory_gb = match[1] or "n1", Decimal(match[2]), Decimal(match[3]) / 1024
    suffix = "" if option == "on-demand" else ".spot"
    lines = []
    for what, amount, title in (
        ("cpu", cores, f"Custom instance CPU (Linux/UNIX, {option}, {family.upper()} {cores} vCPUs)"),
        ("memory", memory_gb, f"Custom Instance RAM (Linux/UNIX, {option}, {family.upper()} {memory_gb:f} GB)"),
    ):
        name = f"custom.{family}.{what}{suffix}"
        each = desk.rate("gce", region, name, PROVIDER)
        whole = None
        if each is not None:
            price = flat(each.amount * amount)
            whole = Rate(PROVIDER, "gce", region, name, "hour", price, each.source, each.dated)
            whole = whole if suffix else sustained(whole, f"{family}-", hours)
        lines.append(Line(title, "hours", hours * count, whole, f"gce/{name} in {region}"))
    return lines


def sustained(rate: Rate, kind: str, hours: Decimal) -> Rate:
    """The price of an hour as it comes to be on average over so many hours of a month."""
    quarters = QUARTERS.get(SUSTAINED.get(kind.partition("-")[0], ""))
    share = min(hours / HOURS, Decimal(1))
    if quarters is None or not share:
        return rate
    paid = sum(
        (
            min(max(share - Decimal(at) / 4, Decimal(0)), Decimal("0.25")) * Decimal(part)
            for at, part in enumerate(quarters)
        ),
        Decimal(0),
    )
    price = flat(round(rate.amount * paid / share, 9))
    source = f"{rate.source}, less what Google takes off for {hours:f} hours of a month"
    return Rate(rate.provider, rate.service, rate.region, rate.name, rate.unit, price, source, rate.dated)


def _accelerator(desk: Desk, kind: str, total: Decimal, region: str, hours: Decimal, is_spot: bool) -> Line:
    title = kind.replace("nvidia", "NVIDIA").replace("tesla", "Tesla").replace("-", " ")
    words = [word if word in ("NVIDIA", "Tesla") else word.upper() for word in title.split()]
    name = f"accelerator.{kind}{'.spot' if is_spot else ''}"
    rate = desk.rate("gce", region, name, PROVIDER)
    rate = rate if rate is None or is_spot else sustained(rate, "n1-", hours)
    option = "preemptible" if is_spot else "on-demand"
    return Line(f"{' '.join(words)} ({option})", "hours", total, rate, f"gce/{name} in {region}")


def _line(desk: Desk, title: str, unit: str, amount: Decimal | int | None, name: str, region: str) -> Line:
    return desk.line(title, unit, amount, f"gce/{name}", region, provider=PROVIDER)


def _disk(desk: Desk, kind: str, size: Decimal | None, region: str) -> Line:
    return _line(desk, DISKS.get(kind, f"Storage ({kind})"), "GB", size, f"disk.{kind}", region)


def disk(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """As large as it says, as what it is made from, or as large as its kind is unless told otherwise."""
    kind, region = resource.text("type", "pd-standard"), region_of(resource)
    lines = [_disk(desk, kind, _size(desk, resource) or Decimal(DISK_GB.get(kind, 500)), region)]
    if kind in DISK_IOPS:
        iops = resource.number("provisioned_iops", DISK_IOPS[kind])
        lines.append(_line(desk, "Provisioned IOPS", "IOPS", iops, f"iops.{kind}", region))
    return Part(resource.address, tuple(lines))


def _size(desk: Desk, resource: Resource, depth: int = 4) -> Decimal | None:
    """Follows an image or a snapshot to the disk that it was made from, so far as that is known."""
    for name in ("size", "disk_size_gb"):
        if resource.number(name):
            return resource.number(name)
    types = ("google_compute_disk", "google_compute_image", "google_compute_snapshot")
    for name in ("image", "snapshot", "source_disk", "source_image", "source_snapshot"):
        source = desk.resources.behind(resource.values.get(name), types, ("name", "self_link", "id"))
        if source is not None and depth:
            found = _size(desk, source, depth - 1)
            if found is None and source.type == "google_compute_disk":
                found = Decimal(DISK_GB.get(source.text("type", "pd-standard"), 500))
            return found
    return None


def image(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    name = "snapshot" if resource.type == "google_compute_snapshot" else "image"
    size = usage.number("storage_gb") or _size(desk, resource)
    line = desk.line("Storage", "GB", size, f"gce/{name}", region_of(resource), provider=PROVIDER, is_usage=True)
    return Part(resource.address, (line,))


def address(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Dearest where nothing uses it; an internal one costs nothing."""
    if resource.text("address_type", "EXTERNAL").upper() == "INTERNAL":
        return None
    title, name = "IP address (unused)", "address"
    for each in desk.resources:
        if each.type == "google_compute_instance" and _uses(desk, each, resource):
            is_spot = each.block("scheduling").flag("preemptible")
            title = f"IP address ({'preemptible' if is_spot else 'standard'} VM)"
            name = "address.spot" if is_spot else "address.used"
    region = resource.text("region") or resource.region
    return Part(resource.address, (_line(desk, title, "hours", HOURS, name, region),))


def _uses(desk: Desk, machine: Resource, wanted: Resource) -> bool:
    given = [
        config.values.get("nat_ip")
        for interface in machine.blocks("network_interface")
        for config in interface.blocks("access_config")
    ]
    return any(desk.resources.behind(each, (wanted.type,), ("address",)) is wanted for each in given)


def cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Its control plane, and pools that are written in it; others are resources of their own."""
    fee = _line(desk, "Cluster management fee", "hours", HOURS, "cluster", region_of(resource))
    pools = resource.blocks("node_pool")
    parts = tuple(
        Part(f"node_pool[{at}]", tuple(_nodes(desk, pool, resource, usage.within(f"node_pool[{at}]"))))
        for at, pool in enumerate(pools)
    )
    if not pools and not resource.flag("remove_default_node_pool") and not resource.flag("enable_autopilot"):
        parts = (Part("default_pool", tuple(_nodes(desk, resource, resource, usage))),)
    return Part(resource.address, (fee,), parts)


def node_pool(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    of = desk.resources.behind(resource.values.get("cluster"), ("google_container_cluster",), ("name", "id"))
    return Part(resource.address, tuple(_nodes(desk, resource, of or resource, usage)))


def _nodes(desk: Desk, pool: Resource, cluster: Resource, usage: Amounts) -> list[Line]:
    """As many as each zone has, in each of its zones."""
    config = pool.block("node_config")
    place = pool if pool.has("location") else cluster
    named = pool.given("node_locations") or cluster.given("node_locations") or []
    zone = place.text("location") or place.text("zone")
    own = {zone} if ZONE.fullmatch(zone) else set()
    zones = len({*map(str, named), *own}) or ZONES_OF_REGION
    given = pool.number("node_count") or pool.block("autoscaling").number("min_node_count")
    each = usage.number("nodes") or given or pool.number("initial_node_count", NODES)
    count = (each or Decimal(NODES)) * zones
    is_spot, region = config.flag("preemptible") or config.flag("spot"), region_of(place)
    lines = machines(desk, config.text("machine_type", NODE_MACHINE), region, HOURS, count, is_spot)
    size = (config.number("disk_size_gb", NODE_GB) or Decimal(NODE_GB)) * count
    return [*lines, _disk(desk, config.text("disk_type", "pd-standard"), size, region)]


OPERATIONS = (
    ("Object adds, bucket/object list (class A)", "a", "write"),
    ("Object gets, retrieve bucket/object metadata (class B)", "b", "read"),
)
EGRESS = (
    ("in same continent", "same_continent", "continent"),
    ("to worldwide excluding Asia, Australia", "worldwide", "internet"),
    ("to Asia excluding China, but including Hong Kong", "asia", "asia"),
    ("to China excluding Hong Kong", "china", "china"),
    ("to Australia", "australia", "australia"),
)
TERABYTES = ("first 1TB", "next 9TB", "over 10TB")
CLASSES = {"STANDARD": "standard", "NEARLINE": "nearline", "COLDLINE": "coldline", "ARCHIVE": "archive"}


def bucket(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    kind = CLASSES.get(resource.text("storage_class", "STANDARD").upper(), "standard")
    region = resource.text("location").lower() or resource.region
    line, asked = desk.line, f".{kind}" if kind != "standard" else ""
    stored = usage.number("storage_gb")
    lines = [line(f"Storage ({kind})", "GiB", stored, f"gcs/storage.{kind}", region, is_usage=True, provider=PROVIDER)]
    if asked:
        read = usage.number("monthly_data_retrieval_gb")
        rate = f"gcs/retrieval.{kind}"
        lines.append(line("Data retrieval", "GB", read, rate, region, is_usage=True, provider=PROVIDER))
    for title, key, name in OPERATIONS:
        lines.append(
            line(title, "10k operations", usage.number(f"monthly_class_{key}_operations"),
                 f"gcs/requests.{name}{asked}", region, per=TEN_THOUSAND, is_usage=True, provider=PROVIDER)
        )  # fmt: skip
    sent, moved = usage.within("monthly_egress_data_transfer_gb"), list[Line]()
    for title, key, name in EGRESS:
        way = line(f"Data transfer {title}", "GB", sent.number(key), f"gcs/egress.{name}", "", is_usage=True,
                   provider=PROVIDER)  # fmt: skip
        steps = len(way.rate.steps) if way.rate else 1
        moved += [way] if key == "same_continent" else by_tier(way, TERABYTES[:steps])
    return Part(resource.address, tuple(lines), (Part("Network egress", tuple(moved)),))


PRICERS: dict[str, Pricer] = {
    "google_compute_instance": instance,
    "google_compute_disk": disk,
    "google_compute_image": image,
    "google_compute_snapshot": image,
    "google_compute_address": address,
    "google_compute_global_address": address,
    "google_container_cluster": cluster,
    "google_container_node_pool": node_pool,
    "google_storage_bucket": bucket,
}
