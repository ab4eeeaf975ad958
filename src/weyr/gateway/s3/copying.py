"""How is the object store copied while it serves? Its index as of one moment, and every blob that it names then.

Blobs never change, so a name and a number are enough; what has to be prevented is that one goes before it is
copied, which `kept_for_copying` does. To be called inside its block.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from weyr.gateway.s3.blobs import BlobStore, kept_for_copying
from weyr.gateway.s3.schema import VERSION

INDEX = "index.db"
__all__ = ["INDEX", "VERSION", "blob_files", "copy_index", "kept_for_copying"]


def copy_index(folder: Path, to: Path) -> None:
    """The index of the store in `folder` as of now, whole, in a file of its own. Raises: sqlite3.Error."""
    source, target = sqlite3.connect(folder / INDEX, timeout=10), sqlite3.connect(to)
    try:
        # In one step: it then sees one state, and a writer that goes on does not make it begin again.
        source.backup(target, pages=-1)
    finally:
        source.close()
        target.close()


def blob_files(folder: Path, index: Path) -> Iterator[tuple[Path, int]]:
    """The files that a copied index names, with their sizes. Raises: sqlite3.Error."""
    store, db = BlobStore(folder), sqlite3.connect(index)
    try:
        for blob, size in db.execute("SELECT id, size FROM blobs WHERE data IS NULL ORDER BY id"):
            yield store.path_of(blob), int(size)
    finally:
        db.close()
        store.close()
