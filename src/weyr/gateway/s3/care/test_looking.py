"""A file is what was written only if it is as long as it was."""

import os
from pathlib import Path

import pytest

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.care.looking import Counted, look
from weyr.gateway.s3.digests import digests_of

WRITTEN = b"123456789"


@pytest.mark.parametrize(
    ("on_disk", "why"),
    [
        (WRITTEN, ""),
        (WRITTEN + b" and more", "it is 18 bytes long and was 9"),
        (WRITTEN[:-1], "it is 8 bytes long and was 9"),
    ],
    ids=["as it was", "longer", "shorter"],
)
def test_a_file_of_another_length_is_not_what_was_written(tmp_path: Path, on_disk: bytes, why: str) -> None:
    """Chunk by chunk the longer one would pass: all that was written is there."""
    store = BlobStore(tmp_path)
    blob = store.new_id()
    descriptor = store.begin(blob)
    os.write(descriptor, on_disk)
    os.close(descriptor)
    store.publish([(blob, "")])

    assert look(store, Counted(blob, 1, len(WRITTEN), digests_of(WRITTEN), None)) == why
    store.close()
