"""What do data sources answer that needs no credentials? Where the stack runs, and who runs it, as placeholders."""

from collections.abc import Mapping
from typing import Any

ACCOUNT = "123456789012"
"""The account in AWS's own examples: it stands in names, and no price depends on it."""


def data_values(kind: str, region: str) -> Mapping[str, Any]:
    """The answers of a data source of this type; empty where they are only known to the provider."""
    match kind:
        case "aws_region":
            return {"name": region, "id": region, "region": region}
        case "aws_availability_zones":
            return {
                "names": [f"{region}{letter}" for letter in "abc"],
                "zone_ids": [f"{region}-az{n}" for n in (1, 2, 3)],
            }
        case "aws_caller_identity":
            return {"account_id": ACCOUNT, "id": ACCOUNT}
        case "aws_partition":
            china = region.startswith("cn-")
            return {
                "partition": "aws-cn" if china else "aws",
                "dns_suffix": "amazonaws.com.cn" if china else "amazonaws.com",
            }
        case _:
            return {}
