"""Where does the S3 plane find what opens places elsewhere? In one file of JSON that nobody else may read."""

import json
import os
from collections.abc import Mapping
from pathlib import Path


def keep_keys(file: Path, bucket: str, keys: Mapping[str, str] | None) -> None:
    """Keeps a bucket's keys, or with None none any more. The file is replaced whole. Raises: OSError, ValueError."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    if kept.get(bucket) == keys:
        return
    kept.pop(bucket, None)
    if keys is not None:
        kept[bucket] = dict(keys)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(kept).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, file)
