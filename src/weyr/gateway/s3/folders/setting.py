"""Which folder is a bucket, if it is one?"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.folders.walk import page
from weyr.gateway.s3.listing import Page
from weyr.gateway.s3.records import Bucket

FOLDER = "folder"
"""Among a bucket's settings: the path that its objects are the files of."""


def folder_of(bucket: Bucket, folders: Mapping[str, Path]) -> Path:
    """Raises: S3Error where the plane was started without it: what was served once is not served unasked."""
    path = folders.get(bucket.name)
    if path is None or str(path) != bucket.settings[FOLDER]:
        raise S3Error("ServiceUnavailable", f"The server was started without the folder of {bucket.name}.")
    return path


async def page_of(
    bucket: Bucket, folders: Mapping[str, Path], prefix: str, delimiter: str, after: str, limit: int
) -> Page:
    """A page of the bucket's list, read in a thread. Raises: S3Error."""
    folder = folder_of(bucket, folders)
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(None, page, folder, prefix, delimiter, after, limit)
    except OSError as e:
        raise S3Error("ServiceUnavailable", f"The folder cannot be read: {e.strerror}") from e
