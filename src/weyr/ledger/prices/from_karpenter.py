"""Reads a price list in the form of Karpenter's generated files: a Go map of regions to machines to USD an hour.

`zz_generated.pricing_aws.go` nests the regions; Azure's `zz_generated.pricing.go` has an assignment for each. Neither
says how large a machine is: that is looked up among the machines known, and others are left out.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.prices.offers import Machine, MachineKey, Offer, Purchase
from weyr.ledger.prices.read_lists import PriceList

_GENERATED = re.compile(r"generated at (\d{4}-\d{2}-\d{2})")
_REGION = re.compile(
    r'(?:initialOnDemandPrices\["([a-z0-9-]+)"\] = map\[string\]float64|^\s*"([a-z0-9-]+)":)\s*\{', re.M
)
_PRICE = re.compile(r'"([\w.-]+)":\s*([0-9.]+)')


def read_karpenter(text: str, machines: Mapping[MachineKey, Machine], source: str) -> PriceList:
    """Raises: UserError where the file has no day or no region in it."""
    dated = _GENERATED.search(text)
    regions = list(_REGION.finditer(text))
    if dated is None or not regions:
        detail = f'{source} has no "generated at" and no map of regions, as Karpenter\'s generated price files have.'
        raise UserError(Diagnostic("Not a price list of this form", detail))
    found = PriceList(source)
    ends = [region.start() for region in regions[1:]] + [len(text)]
    for region, end in zip(regions, ends, strict=True):
        provider = "azure" if region[1] else "aws"
        for instance, amount in _PRICE.findall(text, region.end(), end):
            machine = machines.get((provider, instance))
            if machine is None:
                found.left_out["its size is not known"] += 1
                continue
            name = region[1] or region[2]
            found.offers.append(Offer(machine, name, Purchase.ON_DEMAND, Decimal(amount), source, dated[1]))
    return found
