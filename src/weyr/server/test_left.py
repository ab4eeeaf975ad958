"""What old folders a bucket's index has, asked of a real one."""

from pathlib import Path

from weyr.gateway.s3.report.left import OldFolder, old_folders
from weyr.gateway.s3.schema import opened

OBJECTS = [
    ("checkpoints/a/1", 100, 5), ("checkpoints/a/2", 200, 7), ("checkpoints/a/3", 400, 50), ("checkpoints/b/1", 1, 60),
    ("checkpoints/c/deep/er", 1000, 1), ("checkpoints/loose", 9, 1), ("checkpointsx/a/1", 9, 1), ("a", 9, 1),
]  # fmt: skip


def test_each_folder_counts_what_is_older_and_a_young_one_is_left_out(tmp_path: Path) -> None:
    """A job that still saves has young ones too; only what is old is anybody's waste."""
    with opened(tmp_path / "index.db") as db:
        for bucket in (1, 2):
            db.execute("INSERT INTO buckets (id, name, created_ms, owner) VALUES (?, ?, 0, '')", (bucket, f"b{bucket}"))
        row = "INSERT INTO objects VALUES (?, ?, 1, '', ?, ?, '', ?, '', '{}', '')"
        db.executemany(row, [(1, key, 0, size, at_ms) for key, size, at_ms in OBJECTS])
        db.execute(row, (1, "checkpoints/d/1", 1, 0, 1))

        assert old_folders(db, 1, "checkpoints/", 20) == [
            OldFolder("checkpoints/a/", 300, 7), OldFolder("checkpoints/c/", 1000, 1),
        ]  # fmt: skip
        assert old_folders(db, 2, "checkpoints/", 20) == []
    db.close()
