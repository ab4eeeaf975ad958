"""The operations on access control lists, of buckets and of objects: get and put."""

from functools import partial

from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3.access import Rules, rules_of
from weyr.gateway.s3.acl import Acl
from weyr.gateway.s3.api_objects import located, version_header
from weyr.gateway.s3.api_settings import keep
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.writes import set_acl


async def get_bucket_acl(call: Call) -> Response:
    owner = call.plane.accounts.of(call.there.owner)
    rules = rules_of(call.there.settings)
    acl = rules.acl if rules.acl is not None and rules.uses_acls else acls.private(owner.id)
    return _shown(call, acl, owner.id)


async def put_bucket_acl(call: Call) -> Response:
    owner = call.plane.accounts.of(call.there.owner).id
    await keep(call, "acl", acls.text_of(await _wished(call, owner)))
    return Response(200)


async def get_object_acl(call: Call) -> Response:
    bucket, stored = located(call)
    bucket_owner = call.plane.accounts.of(bucket.owner).id
    rules = rules_of(bucket.settings)
    owner = (stored.meta.owner or bucket_owner) if rules.uses_acls else bucket_owner
    acl = acls.of_text(stored.meta.acl) if stored.meta.acl and rules.uses_acls else acls.private(owner)
    response = _shown(call, acl, owner)
    response.headers += version_header(bucket, stored.version)
    return response


async def put_object_acl(call: Call) -> Response:
    bucket, stored = located(call)
    owner = stored.meta.owner or call.plane.accounts.of(bucket.owner).id
    text = acls.text_of(await _wished(call, owner))
    key, version = call.key, stored.version
    await call.plane.index.write(partial(set_acl, bucket=bucket.id, key=key, version=version, acl=text))
    return Response(200, version_header(bucket, stored.version))


async def _wished(call: Call, owner: str) -> Acl:
    """The ACL that headers or document ask for. Raises: S3Error where the bucket does not let it be."""
    rules = rules_of(call.there.settings)
    if not rules.uses_acls:
        raise S3Error("AccessControlListNotSupported")
    find = call.plane.accounts.found
    bucket_owner = call.plane.accounts.of(call.there.owner).id
    acl = acls.asked_in(call.headers, owner, bucket_owner, find)
    body = await call.text()
    if acl is not None and body:
        raise S3Error("UnexpectedContent", "This request does not support content")
    if acl is None:
        acl = acls.read(await call.xml("AccessControlPolicy"), owner, find)
    check_public(rules, acl)
    return acl


def check_public(rules: Rules, acl: Acl) -> None:
    """Raises: S3Error AccessDenied where the bucket lets no ACL be public and this one is."""
    if rules.block.blocks_acls and acls.is_public(acl):
        raise S3Error("AccessDenied", "Public ACLs are blocked by the bucket's public-access block.")


def _shown(call: Call, acl: Acl, owner: str) -> Response:
    accounts = call.plane.accounts
    body = acls.document_of(acl, accounts.of(owner), lambda grantee: accounts.of(grantee).name)
    return Response(200, [("Content-Type", "application/xml")], body)
