"""Which places elsewhere did the line name? `NAME=URL` for buckets and tiers, and the keys that open them."""

import os
from collections.abc import Sequence
from pathlib import Path

from weyr.core.units import bytes_of
from weyr.gateway.s3.remote.own_tiers import is_class
from weyr.gateway.s3.remote.place import Place, PlaceProblem, keys_for, place_of
from weyr.gateway.s3.remote.reach import Reach

REMOTE_HELP = (
    "A bucket whose objects are elsewhere: s3://BUCKET/PREFIX, gs://, az:// or file:///FOLDER, with ?endpoint= and "
    "&region= where they are needed; once per bucket. $WEYR_REMOTE_<NAME>_ACCESS_KEY_ID and so on open it."
)
TIER_HELP = (
    "A storage class and where lifecycle rules move its objects, such as COLD=s3://BUCKET/PREFIX; once per class. "
    "$WEYR_REMOTE_<NAME>_ACCESS_KEY_ID and so on open it."
)


def reach_of(remotes: Sequence[str], tiers: Sequence[str], keys: Path | None, cache_size: str, owner: str) -> Reach:
    """What the plane is told. Raises: ValueError, in words for the user and without secrets."""
    named = dict(_place(text, keys) for text in remotes)
    classes = dict(_place(text, keys) for text in tiers)
    for name in classes:
        if not is_class(name):
            raise PlaceProblem(f"a storage class is named in capitals, digits and _, and {name!r} is not")
    return Reach(named, owner, classes, keys, bytes_of(cache_size))


def _place(text: str, keys: Path | None) -> tuple[str, Place]:
    name, equals, url = text.partition("=")
    if not equals:
        raise PlaceProblem(f"a place elsewhere is given as NAME=URL, and {name!r} is not")
    return name, place_of(name, url, keys_for(name, os.environ, keys))
