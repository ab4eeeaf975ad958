"""How does a bucket come to be on this machine? By asking the S3 plane over its control socket."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weyr.core.capability import BucketBody, Capability, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, BucketFacts, Present, Seen
from weyr.engines.local.control import NoAnswer, PlaneDown, ask


class LocalObjects:
    """Provider of buckets in the S3 plane of this machine. A bucket belongs to the thing that made it.

    Promises: a bucket that somebody else made with a client is never taken over and never removed.
    """

    capability = Capability.OBJECTS

    def __init__(self, control: Path) -> None:
        self._control = control

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """Absence is proved by the plane's whole list, of which none belongs to the thing."""
        owned = {bucket["owner"]: bucket for bucket in self._buckets()}
        return {id: _seen(owned.get(str(id))) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        refused: dict[ThingId, Refused] = {}
        for want in wanted:
            if not isinstance(want.body, BucketBody):
                refused[want.id] = Refused(f"an object store cannot hold a {want.body.of}")
                continue
            lifecycle = [list(rule) for rule in want.body.lifecycle]
            status, answer = self._ask("PUT", want.body.name, {"owner": str(want.id), "lifecycle": lifecycle})
            if status >= 400:
                refused[want.id] = Refused(str((answer or {}).get("error", f"the S3 plane answered {status}")))
        return refused

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        owned = {bucket["owner"]: bucket["name"] for bucket in self._buckets()}
        refused: dict[ThingId, Refused] = {}
        for id in ids:
            if str(id) not in owned:
                continue
            status, answer = self._ask("DELETE", f"{owned[str(id)]}?force=1")
            if status >= 400 and status != 404:
                refused[id] = Refused(str((answer or {}).get("error", f"the S3 plane answered {status}")))
        return refused

    def inventory(self) -> Sequence[ThingId]:
        return [ThingId.parse(bucket["owner"]) for bucket in self._buckets() if ":" in bucket["owner"]]

    def _buckets(self) -> list[Any]:
        _, answer = self._ask("GET", "")
        return [bucket for bucket in answer["buckets"] if bucket.get("owner")]

    def _ask(self, method: str, name: str, body: object = None) -> tuple[int, Any]:
        try:
            return ask(self._control, method, f"/buckets/{name}" if name else "/buckets", body)
        except (PlaneDown, NoAnswer) as e:
            raise EngineSilent(f"the S3 plane does not answer: {e}") from e


def _seen(bucket: Any) -> Seen:
    if bucket is None:
        return Absent()
    rules = tuple((str(prefix), float(age_s)) for prefix, age_s in bucket.get("lifecycle") or ())
    return Present(BucketFacts(bucket["size_bytes"], bucket["objects"], rules))
