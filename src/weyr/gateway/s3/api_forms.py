"""The operation behind a browser's upload: POST of a form into a bucket."""

import re
from dataclasses import replace
from urllib.parse import quote

from weyr.gateway.s3.addresses import url_of
from weyr.gateway.s3.admit import admit
from weyr.gateway.s3.api_objects import store
from weyr.gateway.s3.call import Call, checked_key
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.form_policy import caller_of, check_allowed, policy_of
from weyr.gateway.s3.forms import Form, boundary_of, form_of
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import check_known, one_line, tags_in
from weyr.gateway.s3.receive import BODY_MAX, promise_of
from weyr.gateway.s3.xml import element, parsed

_KEPT = ("host", "origin", "referer", "user-agent", "x-amz-expected-bucket-owner")
"""The request's own headers that still count."""
_OF_THE_SIGNATURE = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_CONTENT = (
    "cache-control",
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "expires",
)
_REDIRECT = re.compile(r"https?://[^\s]+")


async def post_object(call: Call) -> Response:
    """Stores the form's file under the form's key, as a PUT with the form's fields for headers would."""
    length = call.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit() or len(length) > 18:
        raise S3Error("MissingContentLength")
    form = await form_of(call.request.body, boundary_of(call.headers.get("content-type", "")))
    if not form.fields.get("key"):
        raise S3Error("InvalidArgument", "Bucket POST must contain a field named 'key'.", ArgumentName="key")
    key = form.fields["key"] = checked_key(_with_filename(form.fields["key"], form.filename))
    try:
        caller = caller_of(form.fields, call.plane.accounts)
        if "policy" in form.fields:
            policy = policy_of(form.fields["policy"])
            check_allowed(policy, form.fields | {"bucket": call.bucket}, call.now_ms / 1000)
            form.least, form.most = policy.least, min(policy.most, BODY_MAX)
    except S3Error as e:
        if e.status == 403:
            who = form.fields.get("awsaccesskeyid") or form.fields.get("x-amz-credential", "")
            call.plane.audit.refused(who, "s3:PutObject", f"{call.bucket}/{key}", e.code)
            e.is_audited = True
        raise
    account = None if caller.is_anonymous else call.plane.accounts.of(caller.principal.name)
    request = replace(call.request, headers=_headers(call, form, int(length)))
    put = replace(call, request=request, caller=caller, account=account, key=key)
    call.became.append(put)
    check_known(put.headers)
    await admit(put, "s3:PutObject")
    promise = promise_of(put.headers, caller)
    # How long the file is shows where it ends: what is promised is only that it is not longer than the form.
    promise.is_open = True
    return _answer(call, form, key, await store(put, promise, form, "ObjectCreated:Post"))


def _with_filename(key: str, filename: str) -> str:
    """Some browsers give the whole path of the file; only its last part counts."""
    return key.replace("${filename}", re.split(r"[/\\]", filename)[-1])


def _headers(call: Call, form: Form, length: int) -> dict[str, str]:
    """The headers of a PUT that would do the same. Raises: S3Error."""
    headers = {name: call.headers[name] for name in _KEPT if name in call.headers}
    if "x-amz-copy-source" in form.fields:
        raise not_implemented("a copy by a form")
    for name, value in form.fields.items():
        if name in _CONTENT or (name.startswith("x-amz-") and name not in _OF_THE_SIGNATURE):
            headers[name] = one_line(value)
    if "acl" in form.fields:
        headers["x-amz-acl"] = form.fields["acl"]
    if "tagging" in form.fields:
        tags = tags_in(parsed(form.fields["tagging"].encode(), "Tagging"))
        headers["x-amz-tagging"] = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in tags.items())
    # A longer one is refused as it arrives, since nothing says before where the file ends.
    headers["content-length"] = str(min(length - form.read, BODY_MAX))
    return headers


def _answer(call: Call, form: Form, key: str, stored: Response) -> Response:
    etag = dict(stored.headers)["ETag"]
    location = url_of(call.request, call.bucket, key)
    redirect = form.fields.get("success_action_redirect") or form.fields.get("redirect", "")
    if _REDIRECT.fullmatch(redirect):
        mark = "&" if "?" in redirect else "?"
        query = f"bucket={quote(call.bucket)}&key={quote(key, safe='')}&etag={quote(etag)}"
        return Response(303, [*stored.headers, ("Location", one_line(f"{redirect}{mark}{query}"))])
    headers = [*stored.headers, ("Location", location)]
    match form.fields.get("success_action_status"):
        case "200":
            return Response(200, headers)
        case "201":
            content = [("Location", location), ("Bucket", call.bucket), ("Key", key), ("ETag", etag)]
            # S3 writes this one without its namespace.
            text = f'<?xml version="1.0" encoding="UTF-8"?>\n{element("PostResponse", content)}'
            return Response(201, [*headers, ("Content-Type", "application/xml")], text.encode())
        case _:
            return Response(204, headers)
