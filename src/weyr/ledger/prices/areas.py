"""In which part of the world is a region? By the names that providers give: `eu` finds Frankfurt on each of them."""

import re
from collections.abc import Collection

from weyr.core.diagnostic import Diagnostic, did_you_mean

AREAS = {
    "us": "the United States",
    "eu": "Europe",
    "ap": "Asia and the Pacific",
    "ca": "Canada and Mexico",
    "sa": "South America",
    "me": "the Middle East",
    "af": "Africa",
}
WORDS = {
    "europe": "eu", "usa": "us", "america": "us", "united-states": "us", "asia": "ap", "pacific": "ap", "apac": "ap",
    "canada": "ca", "south-america": "sa", "middle-east": "me", "africa": "af",
}  # fmt: skip
"""What people call an area, beside its short name."""
CITIES = {
    "virginia": "us-east-1", "ohio": "us-east-2", "california": "us-west-1", "oregon": "us-west-2",
    "ireland": "eu-west-1", "london": "eu-west-2", "paris": "eu-west-3", "frankfurt": "eu-central-1",
    "zurich": "eu-central-2", "stockholm": "eu-north-1", "milan": "eu-south-1", "spain": "eu-south-2",
    "tokyo": "ap-northeast-1", "seoul": "ap-northeast-2", "osaka": "ap-northeast-3", "mumbai": "ap-south-1",
    "singapore": "ap-southeast-1", "sydney": "ap-southeast-2", "jakarta": "ap-southeast-3", "sao-paulo": "sa-east-1",
}  # fmt: skip
"""What AWS calls its regions beside their names."""
_BEGINNINGS = {
    "northamerica": "ca", "southamerica": "sa", "europe": "eu", "asia": "ap", "australia": "ap", "africa": "af",
    "us": "us", "eu": "eu", "ap": "ap", "ca": "ca", "mx": "ca", "sa": "sa", "me": "me", "il": "me", "af": "af",
}  # fmt: skip
"""AWS and GCP begin a region's name with its area: `eu-central-1`, `europe-west4`."""
_AZURE = (
    (r"us\d?$", "us"),
    (r"europe|france|germany|italy|norway|poland|spain|sweden|switzerland|austria|belgium|denmark|uk", "eu"),
    (r"canada|mexico", "ca"),
    (r"brazil|chile", "sa"),
    (r"uae|qatar|israel|saudi", "me"),
    (r"africa", "af"),
    (r"asia|japan|korea|india|australia|indonesia|malaysia|newzealand|taiwan", "ap"),
)
"""Azure's names are words: `westeurope`, `germanywestcentral`, `eastus2`."""


def area_of(region: str) -> str:
    """`eu` of `europe-west4`; "" where the name does not tell."""
    head, dash, _ = region.partition("-")
    if dash:
        return _BEGINNINGS.get(head, "")
    return next((area for pattern, area in _AZURE if re.search(pattern, region)), "")


def area_named(word: str) -> str:
    """`eu` of `Europe`; what is no other word for an area stays as it is."""
    plain = word.strip().lower().replace(" ", "-").replace("_", "-")
    return WORDS.get(plain, plain if plain in AREAS else word)


def is_within(region: str, wanted: str) -> bool:
    """Whether `region` is the wanted one, or lies in the wanted area. "" is everywhere."""
    return wanted in ("", region) or (wanted in AREAS and area_of(region) == wanted)


def unknown_region(wanted: str, known: Collection[str]) -> Diagnostic:
    """Nothing is known of that region: what may have been meant, and which areas there are."""
    city = CITIES.get(wanted.strip().lower().replace(" ", "-"), "")
    near = f" AWS calls that region {city}." if city else did_you_mean(wanted, {*known, *AREAS})
    near = near if city or near.startswith(" Did") else ""
    near += f" Areas: {', '.join(f'{short} ({name})' for short, name in AREAS.items())}."
    return Diagnostic("Unknown region", f'There are no prices for "{wanted}".{near}')
