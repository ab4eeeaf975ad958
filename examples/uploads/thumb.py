"""Makes a small picture of an uploaded one. Pictures are PPM here, so that nothing has to be installed."""

import os
import re
from typing import Any
from urllib.parse import unquote_plus

import obstore
from obstore.store import S3Store

HEAD = re.compile(rb"P6\s+([0-9]+)\s+([0-9]+)\s+255\s")
EDGE = 32
"""Pixels along the longer edge of a small picture."""


def made(event: dict[str, Any], context: Any) -> None:
    """Called for every object that comes into photos under in/ and ends in .ppm; perhaps twice, after a failure."""
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        picture = bytes(obstore.get(store(bucket), key).bytes())
        small = shrunk(picture)
        obstore.put(store(bucket.replace("photos", "thumbs")), os.path.basename(key), small)
        print(f"{key}: {len(picture)} bytes became {len(small)}")


def told(event: dict[str, Any]) -> None:
    """Called with what is known of an event that could not be run."""
    print(f"{event['function']} gave up after {event['attempts']} attempts: {event['error']}: {event['message']}")


def shrunk(picture: bytes) -> bytes:
    """The picture with every n-th pixel of every n-th row. Raises: ValueError for what is no picture."""
    head = HEAD.match(picture)
    if head is None:
        raise ValueError("this is no binary PPM")
    width, height, pixels = int(head[1]), int(head[2]), picture[head.end() :]
    if len(pixels) != width * height * 3:
        raise ValueError("some of the picture is missing")
    step = max(1, max(width, height) // EDGE)
    rows = [pixels[y * width * 3 : (y + 1) * width * 3] for y in range(0, height, step)]
    dots = [row[x * 3 : x * 3 + 3] for row in rows for x in range(0, width, step)]
    return b"P6 %d %d 255\n" % (len(dots) // len(rows), len(rows)) + b"".join(dots)


def store(bucket: str) -> S3Store:
    """A bucket, opened with the address and the credentials that the environment holds: good for what the file says."""
    return S3Store(bucket, virtual_hosted_style_request=False, client_options={"allow_http": True})
