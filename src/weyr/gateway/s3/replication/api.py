"""The operations on a bucket's replication: read, replaced, removed."""

from functools import partial

from weyr.gateway.s3.bucket_writes import set_replication
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.replication import rules
from weyr.gateway.s3.replication.target import is_single


async def get_replication(call: Call) -> Response:
    kept = call.there.settings.get(rules.SETTING)
    if kept is None:
        raise S3Error("ReplicationConfigurationNotFoundError", BucketName=call.bucket)
    return Response(200, [("Content-Type", "application/xml")], kept.encode())


async def put_replication(call: Call) -> Response:
    """Raises: S3Error InvalidRequest for a destination that the plane does not know, or that another bucket has."""
    text = rules.checked_text(await call.xml(rules.ROOT), call.plane.replicas)
    await _keep(call, text)
    return Response(200)


async def delete_replication(call: Call) -> Response:
    """What was sent stays where it is; what is in line is not sent any more."""
    await _keep(call, None)
    return Response(204)


async def _keep(call: Call, text: str | None) -> None:
    single = frozenset(name for name, url in call.plane.replicas.items() if is_single(url))
    await call.plane.index.write(
        partial(set_replication, name=call.bucket, text=text, now_ms=call.now_ms, single=single)
    )
