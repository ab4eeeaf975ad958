"""A disk without room for the cache costs nobody a byte: what is elsewhere passes through without being kept."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from one_user import until
from remote_places import KEYS
from s3_plane import running_s3
from small_disk import SmallDisk
from test_s3_serve import USERS, served

MB = 2**20
WEIGHTS = hashlib.sha256(b"weights").digest() * (20 * MB // 32)


@pytest.mark.parametrize("room", [{"pages": 3}, {"pages": 2500}, {"files": 0}])
def test_a_full_disk_lets_blocks_pass(room: dict[str, Any], disk: SmallDisk, tmp_path: Path) -> None:
    """Without room for one block, for one of three, or for a name: said once, and kept again when there is room."""
    keys = {f"WEYR_REMOTE_WEIGHTS_{name.upper()}": value for name, value in KEYS.items()}
    with running_s3(tmp_path / "peer") as peer:
        peer.client().create_bucket(Bucket="far")
        peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
        line = [*USERS, f"--remote=weights=s3://far?endpoint={peer.url}", "--workers=1"]
        with served(disk.path / "near", *line, **keys) as near:
            s3 = near.client("ann")
            s3.list_objects_v2(Bucket="weights")
            disk.leave(**room)
            for _ in range(3):
                assert s3.get_object(Bucket="weights", Key="key")["Body"].read() == WEIGHTS
            disk.leave()

            def is_kept() -> bool:
                # A block is kept after it was handed out; one that came while the disk was full, at the next read.
                assert s3.get_object(Bucket="weights", Key="key")["Body"].read() == WEIGHTS
                blocks = (disk.path / "near" / "cache" / "blocks").glob("*/*")
                return sum(block.stat().st_size for block in blocks) > len(WEIGHTS)

            until(is_kept, "there is room: it is kept")
        log = (disk.path / "near.log").read_text()
        assert 1 <= log.count("s3.cache_un") <= 2, log
        assert "s3.bug" not in log
