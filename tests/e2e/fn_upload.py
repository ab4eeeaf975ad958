"""A function on every upload, for tests."""

from typing import Any
from urllib.parse import unquote_plus

import obstore
from fn_code import note
from obstore.store import S3Store


def store(bucket: str) -> S3Store:
    """A bucket, with the credentials and the address that the environment holds."""
    return S3Store(bucket, virtual_hosted_style_request=False, client_options={"allow_http": True})


def uploaded(event: dict[str, Any], context: Any) -> None:
    """Reads the object that called it, with credentials that are good for that, and puts what it found elsewhere."""
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        size = len(obstore.get(store(bucket), key).bytes())
        note("uploaded", f"{key} {size} {context.attempt}")
        obstore.put(store(bucket.replace("inbox", "outbox")), key + ".size", str(size).encode())
