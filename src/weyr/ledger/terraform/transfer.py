"""What does data cost that leaves a region? It belongs to no resource: a usage file states it as one for each region.

    aws_data_transfer.us-east-1:
      region: us-east-1
      monthly_outbound_internet_gb: 20000

Source: aws.amazon.com/ec2/pricing/on-demand, data transfer; the form is Infracost's. Between zones both ends pay.
"""

from decimal import Decimal

from weyr.ledger.terraform.desk import Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Part, Unpriced
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts, Usage

KIND = "aws_data_transfer"
ENDS = 2
TIERS = ("first 10TB", "next 40TB", "next 100TB", "over 150TB")
OUT = "Outbound data transfer to"


def with_transfers(resources: Resources, usage: Usage) -> Resources:
    """The resources, and what the usage file states of data that leaves regions."""
    stated = [
        Resource(address, KIND, {}, str(values.get("region") or ""))
        for address, values in usage.by_address.items()
        if address.startswith(f"{KIND}.")
    ]
    return Resources((*resources.all, *stated), resources.notes) if stated else resources


def data_transfer(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    region, within = usage.text("region"), usage.number("monthly_intra_region_gb")
    flows = (
        (f"{OUT} US East regions", usage.number("monthly_outbound_us_east_to_us_east_gb"), "out.us_east"),
        (f"{OUT} other regions", usage.number("monthly_outbound_other_regions_gb"), "out.region"),
    )
    lines = []
    if within is not None:
        both = within * Decimal(ENDS)
        lines.append(desk.line("Intra-region data transfer", "GB", both, "transfer/within", region, is_usage=True))
    internet = usage.number("monthly_outbound_internet_gb")
    if internet is not None:
        line = desk.line(f"{OUT} Internet", "GB", internet, "transfer/out.internet", region, is_usage=True)
        lines += by_tier(line, TIERS)
    lines += [
        desk.line(name, "GB", quantity, f"transfer/{rate}", region, is_usage=True)
        for name, quantity, rate in flows
        if quantity is not None
    ]
    return Part(resource.address, tuple(lines)) if lines else unpriced(resource, "its usage states no amount of data")


PRICERS: dict[str, Pricer] = {KIND: data_transfer}
