"""What is a plane told of the outside when it starts?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weyr.gateway.s3.remote.place import Place

SETTING = "remote"
"""Among a bucket's settings: the URL of the place that its objects are at."""
CACHE = "cache"
"""The cache's folder among the data."""
CACHE_BYTES = 10 * 2**30


@dataclass(frozen=True, slots=True)
class Reach:
    """What a plane is told of the outside when it starts."""

    buckets: Mapping[str, Place] = field(default_factory=dict)
    """Bucket → where its objects are."""
    owner: str = "admin"
    """Who owns those."""
    tiers: Mapping[str, Place] = field(default_factory=dict)
    """Storage class → where objects of that class go."""
    keys: Path | None = None
    """File with the keys of places that are named later."""
    cache_bytes: int = CACHE_BYTES


NOWHERE = Reach()
