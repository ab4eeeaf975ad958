"""Random operations against the index and against a dictionary agree; listings agree with sorting."""

import asyncio
import itertools
import tempfile
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from weyr.gateway.s3 import bucket_writes, listing
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.listing import Entry
from weyr.gateway.s3.records import Meta, current
from weyr.gateway.s3.writes import NewBlob, NewObject, WriteCondition, delete, put

KEYS = st.text(alphabet="ab/é\U0010ffff", min_size=1, max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "reopen"]), KEYS, st.integers(0, 5)), max_size=25)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_the_index_agrees_with_a_dictionary(steps: list[tuple[str, str, int]]) -> None:
    """Across restarts: what is there, in which order, how much, and how often each blob is named."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_agree(Path(folder), steps))


async def _agree(folder: Path, steps: list[tuple[str, str, int]]) -> None:
    blobs, model = BlobStore(folder), dict[str, int]()
    index = opened(folder, blobs)
    await index.write(partial(bucket_writes.create, name="lake", owner="me", now_ms=0))
    for act, key, size in steps:
        match act:
            case "put":
                new = NewObject(key, size, "e", 1, "v", Meta(), (NewBlob(blobs.new_id(), size, b"x" * size),))
                await index.write(partial(put, bucket_name="lake", new=new, condition=WriteCondition()))
                model[key] = size
            case "delete":
                marker = NewObject(key, 0, "", 1, "v", Meta())
                await index.write(
                    partial(delete, bucket_name="lake", key=key, version="", marker=marker, condition=WriteCondition())
                )
                model.pop(key, None)
            case _:
                index.close()
                index = opened(folder, blobs)
    found = listing.page(index, 1, "", "", "", 1000).items
    assert [(entry.key, entry.size) for entry in found if isinstance(entry, Entry)] == sorted(model.items())
    assert index.one("SELECT objects, size_bytes FROM buckets") == (len(model), sum(model.values()))
    assert index.one("SELECT count(*), coalesce(sum(refs), 0) FROM blobs") == (len(model), len(model))
    for prefix, size in itertools.product(("", "a", "a/"), (1, 2, 5)):
        assert paged(index, prefix, size) == folded(model, prefix)
    index.close()


def opened(folder: Path, blobs: BlobStore) -> Index:
    index = Index(folder, blobs, asyncio.get_running_loop())
    index.start()
    return index


def paged(index: Index, prefix: str, size: int) -> list[str]:
    """Every item of the listing, gathered in pages."""
    items: list[str] = []
    after, is_truncated = "", True
    while is_truncated:
        page = listing.page(index, 1, prefix, "/", after, size)
        items += [item if isinstance(item, str) else item.key for item in page.items]
        after, is_truncated = page.last, page.is_truncated
    return items


def folded(model: dict[str, int], prefix: str) -> list[str]:
    """The same, the plain way."""
    items: list[str] = []
    for key in sorted(model):
        if key.startswith(prefix):
            cut = key.find("/", len(prefix))
            item = key if cut < 0 else key[: cut + 1]
            items += [] if item in items else [item]
    return items


def test_one_refused_operation_leaves_its_group_alone(tmp_path: Path) -> None:
    """Writers that happen to commit together do not share their fate."""

    async def run() -> None:
        blobs = BlobStore(tmp_path)
        index = opened(tmp_path, blobs)
        await index.write(partial(bucket_writes.create, name="lake", owner="me", now_ms=0))

        def new(key: str) -> NewObject:
            return NewObject(key, 1, "e", 1, "v", Meta(), (NewBlob(blobs.new_id(), 1, b"x"),))

        never = WriteCondition(if_match="other")
        a, b, c = new("a"), new("b"), new("c")
        waiting = [
            index.write(partial(put, bucket_name="lake", new=a, condition=WriteCondition())),
            index.write(partial(put, bucket_name="lake", new=b, condition=never)),
            index.write(partial(put, bucket_name="lake", new=c, condition=WriteCondition())),
        ]
        answers = await asyncio.gather(*waiting, return_exceptions=True)

        assert [isinstance(answer, S3Error) for answer in answers] == [False, True, False]
        assert [current(index, 1, key) is not None for key in "abc"] == [True, False, True]
        index.close()

    asyncio.run(run())


def test_blobs_that_nobody_names_are_removed_at_start(tmp_path: Path) -> None:
    """A crash between a blob's publication and the commit leaves no space behind."""

    async def run() -> None:
        blobs = BlobStore(tmp_path)
        index = opened(tmp_path, blobs)
        lost = blobs.new_id()
        for blob in (lost, blobs.new_id()):
            (tmp_path / "incoming" / str(blob)).write_bytes(b"x")
        blobs.publish([(lost, "")])
        index.close()

        again = BlobStore(tmp_path)
        index = opened(tmp_path, again)
        index.close()

        assert not again.path_of(lost).exists()
        assert not list((tmp_path / "incoming").iterdir())
        assert again.new_id() > lost

    asyncio.run(run())
