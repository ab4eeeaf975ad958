"""How does the engine steer the plane? HTTP and JSON on a Unix socket; who may open the socket may do everything.

GET /health · GET /stats · GET /buckets · GET|PUT|DELETE /buckets/NAME · PUT /triggers/NAME · GET /gone/OWNER
"""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from urllib.parse import parse_qs, unquote

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.api_buckets import is_bucket_name
from weyr.gateway.s3.bucket_writes import Removal
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.care.rot import counts
from weyr.gateway.s3.care.scrub import scrub_shown
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.far_index import Crew
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.messages import BodyBroken, Request, Response
from weyr.gateway.s3.notices import TRIGGERS, triggers_of
from weyr.gateway.s3.records import Bucket, Rule, bucket_named, buckets
from weyr.gateway.s3.remote.own_tiers import is_class, tier_of, urls_in
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.replication.queue import lags as replication_lags
from weyr.gateway.s3.shared import Shared
from weyr.gateway.s3.usage import InClass, Use, forget_gone, gone_of, in_classes, used
from weyr.wire.epochs import HEADER, Epochs

BODY_MAX = 1024 * 1024
RULES_MAX = 1000


class Control:
    """The control interface of one plane. `shared` has what its processes count, which /stats gives."""

    def __init__(self, plane: Plane, index: Index, shared: Shared, url: str, epochs: Epochs, crew: Crew) -> None:
        self._epochs = epochs
        self._plane = plane
        self._index = index
        self._shared = shared
        self._url = url
        self._crew = crew

    async def handle(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except S3Error as e:
            return _json(e.status, {"error": e.message, "code": e.code})
        except (ValueError, TypeError, KeyError) as e:
            return _json(400, {"error": f"the request is not understood: {e}", "code": "BadRequest"})
        except BodyBroken:
            raise
        except (OSError, sqlite3.Error, MemoryError) as e:
            return _json(503, {"error": str(e) or "out of memory", "code": "ServiceUnavailable"})

    async def _answer(self, request: Request) -> Response:
        folder, _, name = request.path.strip("/").partition("/")
        if request.method != "GET" and (why := self._epochs.refusal(request.headers.get(HEADER.lower(), ""))):
            return _json(409, {"error": why, "code": "EpochOver"})
        match request.method, folder, unquote(name):
            case "GET", "health", "":
                return _json(200, self._health())
            case "GET", "stats", "":
                return _json(200, self._stats())
            case "GET", "buckets", "":
                return _json(200, {"buckets": self._shown_all(buckets(self._plane.index))})
            case "GET", "buckets", bucket:
                return _json(200, self._shown_all([bucket_named(self._plane.index, bucket)])[0])
            case "PUT", "buckets", bucket if bucket:
                return await self._put(request, bucket)
            case "DELETE", "buckets", bucket if bucket:
                return await self._delete(request, bucket)
            case "GET", "gone", owner if owner:
                return await self._gone(owner)
            case "PUT", "triggers", bucket if bucket:
                return await self._put_triggers(request, bucket)
            case _:
                return _json(404, {"error": "there is nothing here", "code": "NotFound"})

    def _health(self) -> dict[str, object]:
        accounts = self._plane.accounts
        generation = accounts.generation
        return {
            "ok": True,
            "url": self._url,
            "credentials_generation": generation,
            "credentials_problem": accounts.problem,
            "audit_lost": self._plane.audit.lost + self._shared.total().audit_lost,
        }

    def _stats(self) -> dict[str, object]:
        total = self._shared.total()
        return {
            "requests": total.requests,
            "errors": total.errors,
            "bytes_in": total.bytes_in,
            "bytes_out": total.bytes_out,
            "connections": total.connections,
            "writes": self._index.writes,
            "commits": self._index.commits,
            "rot": {state.value: count for state, count in counts(self._index).items()},
            "scrub": scrub_shown(self._index),
            "replication": self._lags(),
        }

    def _lags(self, bucket: str | None = None) -> list[dict[str, object]]:
        """How far behind the replicas are, of one bucket or of all."""
        return [asdict(lag) for lag in replication_lags(self._index, int(self._plane.clock() * 1000), bucket)]

    def _shown_all(self, listed: list[Bucket]) -> list[dict[str, object]]:
        """Buckets as they are shown, each with its use and with how far its replicas are."""
        index, only = self._plane.index, listed[0] if len(listed) == 1 else None
        lags, uses = self._lags(only.name if only else None), used(index)
        classes = in_classes(index, only.id if only else None)
        return [
            {
                **_shown(b, uses.get(b.id, Use()), *classes.get(b.id, (b.size_bytes, []))),
                "replication": [lag for lag in lags if lag["bucket"] == b.name],
            }
            for b in listed
        ]

    async def _put(self, request: Request, name: str) -> Response:
        if not is_bucket_name(name):
            raise S3Error("InvalidBucketName", f"{name!r} cannot be a bucket's name")
        document = json.loads(await _body(request) or b"{}")
        owner, now_ms = str(document.get("owner") or "admin"), int(self._plane.clock() * 1000)
        generation = int(document.get("generation", 0))
        if gone_of(self._index, owner) is not None:
            # Its owner lives anew, and what was asked of its last bucket was told: nobody may be told it again.
            await self._index.write(partial(forget_gone, owner=owner))
        tiers = self._tiers_of(name, document)
        classes = {*(tiers or ()), *self._plane.outside.tiers}
        rules = _rules(document["lifecycle"], classes) if "lifecycle" in document else None
        bucket = await self._plane.index.write(
            partial(
                bucket_writes.ensure,
                name=name,
                owner=owner,
                generation=generation,
                rules=rules,
                now_ms=now_ms,
                url=self._url_of(name, document),
                keeps_versions=_flag(document, "keeps_versions"),
                tiers=tiers,
            )
        )
        return _json(200, self._shown_all([bucket])[0])

    async def _put_triggers(self, request: Request, name: str) -> Response:
        """Replaces the functions that the bucket's events go to: a list of function, prefix, suffix and events."""
        text = (await _body(request)).decode() or "[]"
        entries = triggers_of(text)
        await self._plane.index.write(
            partial(bucket_writes.set_setting, name=name, setting=TRIGGERS, text=text if entries else None)
        )
        return _json(200, {"triggers": len(entries)})

    def _url_of(self, name: str, document: Mapping[str, object]) -> str:
        """Where the bucket's objects are to be, "" for here. Raises: S3Error where that cannot be used."""
        url = str(document.get("url") or "")
        if url:
            self._plane.outside.check(name, url)
        return url

    def _tiers_of(self, name: str, document: Mapping[str, object]) -> Mapping[str, str] | None:
        """The bucket's own tiers, class → URL; None where the document does not say. Raises: S3Error, ValueError."""
        tiers = document.get("tiers")
        if tiers is None:
            return None
        if not isinstance(tiers, dict) or not all(isinstance(url, str) for url in tiers.values()):
            raise ValueError("tiers are classes and URLs")
        for storage_class, url in tiers.items():
            if not is_class(storage_class):
                raise S3Error("InvalidArgument", f"{storage_class!r} cannot be a storage class's name")
            self._plane.outside.check(f"{name}.{storage_class}", url)
        return tiers

    async def _delete(self, request: Request, name: str) -> Response:
        """Without `force` only an empty bucket goes; with it everything in it goes too, and absence is a success.

        With `owner`, a bucket of that name that is not the owner's (any more) counts as absent. 202: what it had at its
        tiers is still being removed there. Raises: S3Error where a tier does not do that.
        """
        query = parse_qs(request.query)
        if query.get("force") == ["1"]:
            owner = query.get("owner", [None])[0]
            state, now_ms = Removal.GOES_ON, int(self._plane.clock() * 1000)
            while state is Removal.GOES_ON:
                state = await self._plane.index.write(
                    partial(bucket_writes.remove_some, name=name, now_ms=now_ms, owner=owner)
                )
            if state is Removal.WAITS:
                return self._still_removing(name)
        else:
            await self._plane.index.write(partial(bucket_writes.remove_empty, name=name))
        return Response(204)

    async def _gone(self, owner: str) -> Response:
        """What was asked of the last bucket that an owner had, once all that was counted of it is written down.

        404 where nothing is known of one. Raises: S3Error ServiceUnavailable where somebody could not write it down.
        """
        is_all = await self._plane.counters.flush(self._index) and await self._crew.flush()
        if not is_all:
            raise S3Error("ServiceUnavailable", "what was counted could not be written down by every process")
        gone = gone_of(self._index, owner)
        if gone is None:
            return _json(404, {"error": f"no bucket of {owner} is gone", "code": "NotFound"})
        classes = [asdict(one) for one in gone.classes]
        return _json(200, {"created_at": gone.created_ms / 1000, "used": asdict(gone.use), "classes": classes})

    def _still_removing(self, name: str) -> Response:
        """Raises: S3Error where a tier does not remove what it is asked to remove."""
        bucket = bucket_named(self._plane.index, name)
        for storage_class in urls_in(bucket.settings):
            if why := self._plane.outside.silent.get(tier_of(bucket, storage_class)):
                message = f"what it had at its tier {storage_class} cannot be removed there: {why}"
                raise S3Error("OperationAborted", message, BucketName=name)
        return _json(202, {"removing": True})


async def _body(request: Request) -> bytes:
    body = b""
    while chunk := await request.body.chunk():
        body += chunk
        if len(body) > BODY_MAX:
            raise ValueError("the document is too long")
    return body


def _flag(document: Mapping[str, object], name: str) -> bool | None:
    """Raises: ValueError for what is neither true nor false nor left out."""
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f"{name} is true or false")


def _rules(listed: list[dict[str, object]], classes: Collection[str]) -> tuple[Rule, ...]:
    if len(listed) > RULES_MAX:
        raise ValueError(f"at most {RULES_MAX} lifecycle rules")
    rules = tuple(Rule.of(fields) for fields in listed)
    for rule in rules:
        moves = [age for age in (rule.move_after_s, rule.noncurrent_move_after_s) if age is not None]
        ends = [age for age in (rule.expire_after_s, rule.noncurrent_after_s, rule.abort_after_s) if age is not None]
        if not moves + ends or min(moves + ends) <= 0:
            raise ValueError("a lifecycle rule must end or move something after some seconds")
        if bool(moves) != bool(rule.to) or (moves and rule.to not in classes):
            raise ValueError(f"a lifecycle rule moves to {rule.to!r}, and the bucket has no such tier")
    return rules


def _shown(bucket: Bucket, use: Use, size_bytes: int, classes: Sequence[InClass]) -> dict[str, object]:
    return {
        "name": bucket.name,
        "owner": bucket.owner,
        "generation": bucket.generation,
        "size_bytes": size_bytes,
        "objects": bucket.objects,
        "url": bucket.settings.get(SETTING, ""),
        "lifecycle": [asdict(rule) for rule in bucket.lifecycle],
        "versioning": bucket.versioning.value,
        "created_at": bucket.created_ms / 1000,
        "used": asdict(use),
        "tiers": urls_in(bucket.settings),
        "classes": [asdict(one) for one in classes],
    }


def _json(status: int, document: Mapping[str, object]) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(document).encode())
