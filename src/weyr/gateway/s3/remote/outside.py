"""What does this plane know outside? The places of its buckets and tiers, and the cache before them.

Nothing is loaded, opened or asked before a request needs it, so a plane that knows nothing outside pays nothing.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.remote import lists
from weyr.gateway.s3.remote.blocks import Blocks
from weyr.gateway.s3.remote.cache import Cache
from weyr.gateway.s3.remote.place import Place, PlaceProblem, keys_for, place_of
from weyr.gateway.s3.remote.problems import RemoteProblem
from weyr.gateway.s3.remote.reach import NOWHERE, SETTING, Reach
from weyr.gateway.s3.remote.refusals import refused

if TYPE_CHECKING:
    from weyr.gateway.s3.listing import Page
    from weyr.gateway.s3.records import Bucket
    from weyr.gateway.s3.remote.store import Remote

log = logging.getLogger("weyr.s3")


def _nowhere(_tier: str) -> str:
    return ""


class Outside:
    """The places of one process.

    Takes: `folder`, where the cache is kept; `tier_url`, which tells where a tier of a bucket's own is, "" for nowhere.
    """

    def __init__(
        self, reach: Reach = NOWHERE, folder: Path = Path(), tier_url: Callable[[str], str] = _nowhere
    ) -> None:
        self._reach = reach
        self._tier_url = tier_url
        self.silent: dict[str, str] = {}
        """Tier → why it does not do what it is asked, as whoever moves objects met it last."""
        self._folder = folder
        self._opened: dict[Place, Remote] = {}
        self._blocks: Blocks | None = None

    @property
    def tiers(self) -> Mapping[str, Place]:
        return self._reach.tiers

    @property
    def blocks(self) -> Blocks:
        """The blocks of whatever is outside, through the cache."""
        if self._blocks is None:
            self._blocks = Blocks(_cache(self._folder, self._reach.cache_bytes))
        return self._blocks

    def of_bucket(self, bucket: Bucket) -> Remote:
        """Where a bucket's objects are. Raises: S3Error where that is not known any more, or cannot be used."""
        url = bucket.settings[SETTING]
        place = self._reach.buckets.get(bucket.name)
        if place is None or place.given != url:
            try:
                place = place_of(bucket.name, url, keys_for(bucket.name, {}, self._reach.keys))
            except PlaceProblem as e:
                log.warning("s3.remote_unusable bucket=%s: %s", bucket.name, e)
                raise S3Error("ServiceUnavailable", f"The bucket's place cannot be used: {e}") from e
        return self._remote(place)

    def check(self, name: str, url: str) -> None:
        """Raises: S3Error InvalidArgument where a bucket cannot be at a place, in words for whoever wanted it."""
        try:
            place_of(name, url, keys_for(name, {}, self._reach.keys))
        except PlaceProblem as e:
            raise S3Error("InvalidArgument", str(e)) from e

    async def page(self, bucket: Bucket, prefix: str, delimiter: str, after: str, limit: int) -> Page:
        """A page of a bucket that is elsewhere. Raises: S3Error."""
        return await lists.page(self.of_bucket(bucket), prefix, delimiter, after, limit)

    def of_tier(self, name: str) -> Remote:
        """Where a tier is: one of a bucket, or of the plane. Raises: S3Error where the plane was not told."""
        if name in self._reach.tiers:
            return self._remote(self._reach.tiers[name])
        if not (url := self._tier_url(name)):
            raise S3Error("ServiceUnavailable", f"The plane does not know (any more) where its tier {name} is.")
        try:
            return self._remote(place_of(name, url, keys_for(name, {}, self._reach.keys)))
        except PlaceProblem as e:
            log.warning("s3.tier_unusable tier=%s: %s", name, e)
            raise S3Error("ServiceUnavailable", f"The tier's place cannot be used: {e}") from e

    def recover(self) -> None:
        """Tidies the cache that an earlier run left. For the first process, before anybody reads."""
        cache = _cache(self._folder, self._reach.cache_bytes)
        if cache is None or not (self._folder / "blocks").exists():
            return
        try:
            cache.recover()
        except OSError as e:
            log.warning("s3.cache_untidied %s", e)
        finally:
            cache.close()

    def close(self) -> None:
        if self._blocks is not None:
            self._blocks.close()

    def _remote(self, place: Place) -> Remote:
        remote = self._opened.get(place)
        if remote is None:
            try:
                remote = self._opened[place] = _store().Remote(place)
            except RemoteProblem as e:
                raise refused(e) from e
        return remote


def _cache(folder: Path, bytes_max: int) -> Cache | None:
    return Cache(folder, bytes_max) if bytes_max else None


def _store() -> Any:
    """The module that loads obstore: 30 ms and some megabytes, which only planes with a place elsewhere pay."""
    return importlib.import_module("weyr.gateway.s3.remote.store")
