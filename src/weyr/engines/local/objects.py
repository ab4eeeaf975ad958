"""How does a bucket come to be on this machine? By asking the S3 plane over its control socket."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.attempt.task_env import SecretReader
from weyr.core.capability import BucketBody, Capability, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import NAME, Ref, ThingId
from weyr.core.seen import Absent, BucketClass, BucketFacts, BucketRule, BucketUse, Present, Seen
from weyr.engines.local.control import NoAnswer, PlaneDown, ask
from weyr.engines.local.place_keys import keep_keys


class LocalObjects:
    """Provider of buckets in the S3 plane of this machine. A bucket belongs to the thing that made it.

    The plane keeps a bucket's owner and generation with it, and checks both in the transaction that changes it.

    Takes: `keys`, the file in which the plane finds what opens places elsewhere.
    Promises: a bucket that somebody else made with a client is never taken over and never removed.
    """

    capability = Capability.OBJECTS

    def __init__(
        self, control: Path, epoch: int = 0, secrets: SecretReader | None = None, keys: Path | None = None
    ) -> None:
        self._control, self._epoch = control, epoch
        self._secrets, self._keys = secrets, keys

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """Absence is proved by the plane's whole list, of which none belongs to the thing; with it comes what was asked
        of the bucket that it had, of which the plane's processes have told all by then."""
        owned = self._owned()
        return {id: _seen(owned[id]) if id in owned else Absent(last=self._last(id)) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        owned = self._owned()
        return {want.id: Refused(reason) for want in wanted if (reason := self._ensure(owned.get(want.id), want))}

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        owned, refused = self._owned(), {}
        for id in ids:
            if id not in owned:
                continue
            if reason := self._remove(owned[id]):
                refused[id] = Refused(reason)
        return refused

    def inventory(self) -> Sequence[ThingId]:
        return list(self._owned())

    def _ensure(self, bucket: Any, want: Wanted) -> str:
        """Why not, or nothing."""
        body = want.body
        if not isinstance(body, BucketBody):
            return f"an object store cannot hold a {body.of}"
        if bucket and bucket["name"] != body.name:
            return f"its bucket is called {bucket['name']}, and a bucket cannot be renamed"
        lifecycle = [asdict(rule) for rule in body.lifecycle]
        document = {"owner": str(want.id), "generation": want.generation, "lifecycle": lifecycle, "url": body.url}
        document["keeps_versions"] = body.keeps_versions
        document["tiers"] = tiers = {tier.storage_class: tier.url for tier in body.tiers}
        places = {body.name: body.keys, **{f"{body.name}.{tier.storage_class}": tier.keys for tier in body.tiers}}
        for place, keys in places.items():
            if keys and (why := self._hand_over(place, keys)):
                return why
        why = _refusal(*self._ask("PUT", f"/buckets/{quote(body.name, safe='')}", document))
        if not why and bucket:
            self._take_back(f"{body.name}.{gone}" for gone in bucket["tiers"].keys() - tiers.keys())
        return why

    def _hand_over(self, place: str, keys: Mapping[str, Ref]) -> str:
        """Puts the values of a place's keys where the plane reads them. Gives why not, or nothing."""
        if self._secrets is None or self._keys is None:
            return "this object store opens no places elsewhere"
        read = {name: self._secrets.read(ref) for name, ref in keys.items()}
        missing = sorted(str(keys[name]) for name, value in read.items() if value is None)
        if missing:
            return f"{', '.join(missing)} has no value yet"
        keep_keys(self._keys, place, {name: value.decode() for name, value in read.items() if value is not None})
        return ""

    def _remove(self, bucket: Any) -> str:
        """Why not, or nothing. The plane compares the owner again: the name may be somebody else's by then."""
        path = f"/buckets/{quote(bucket['name'], safe='')}?force=1&owner={quote(bucket['owner'], safe='')}"
        status, answer = self._ask("DELETE", path)
        if status == 204:
            # With 202 its tiers are still being emptied, which takes their keys.
            own = [bucket["name"]] if bucket.get("url") else []
            self._take_back([*own, *(f"{bucket['name']}.{tier}" for tier in bucket["tiers"])])
        return _refusal(status, answer)

    def _last(self, id: ThingId) -> BucketFacts | None:
        """What was asked of the thing's last bucket; None where it had none, or where nothing was. Raises: EngineSilent
        where the plane cannot tell all of it."""
        status, answer = self._ask("GET", f"/gone/{quote(str(id), safe='')}")
        if status == 404:
            return None
        if status != 200:
            raise EngineSilent(f"the S3 plane does not tell what was asked of {id}: {_refusal(status, answer)}")
        use = BucketUse(float(answer["created_at"]), **answer["used"])
        classes = tuple(BucketClass(**one) for one in answer["classes"])
        return BucketFacts(use=use, classes=classes) if classes or use != BucketUse(use.since) else None

    def _take_back(self, places: Iterable[str]) -> None:
        """The plane needs the keys of these places no more."""
        for place in places:
            if self._keys is not None:
                keep_keys(self._keys, place, None)

    def _owned(self) -> dict[ThingId, Any]:
        """The buckets that things made. Raises: EngineSilent where the plane gives no list."""
        status, answer = self._ask("GET", "/buckets")
        if status != 200:
            raise EngineSilent(f"the S3 plane does not list its buckets: {_refusal(status, answer)}")
        pairs = ((_thing(bucket["owner"]), bucket) for bucket in answer["buckets"])
        return {id: bucket for id, bucket in pairs if id}

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        try:
            return ask(self._control, method, path, body, self._epoch)
        except (PlaneDown, NoAnswer) as e:
            raise EngineSilent(f"the S3 plane does not answer: {e}") from e


def _thing(owner: str) -> ThingId | None:
    """Which thing owns a bucket; None for one that a caller made, whose owner is his principal.

    A task's principal (`task:digits:job/train#2`) reads like a thing of a stack "task:digits": taken for one, a
    bucket that a task made for itself would be swept away as nobody's.
    """
    try:
        id = ThingId.parse(owner)
    except ValueError:
        return None
    return id if NAME.fullmatch(id.ref.stack) else None


def _refusal(status: int, answer: Any) -> str:
    """Why the plane did not do it, or nothing."""
    if status < 400:
        return ""
    return str((answer or {}).get("error", f"the S3 plane answered {status}"))


def _seen(bucket: Any) -> Present:
    return Present(_facts(bucket), bucket["generation"])


def _facts(bucket: Any) -> BucketFacts:
    rules = tuple(
        BucketRule(**{**rule, "tags": tuple((name, value) for name, value in rule["tags"])})
        for rule in bucket["lifecycle"]
    )
    use = BucketUse(float(bucket["created_at"]), **bucket["used"])
    keeps_versions = bucket["versioning"] == "Enabled"
    classes = tuple(BucketClass(**one) for one in bucket["classes"])
    tiers = tuple(sorted(bucket["tiers"].items()))
    return BucketFacts(bucket["size_bytes"], bucket["objects"], rules, use, keeps_versions, classes, tiers)
