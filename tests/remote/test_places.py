"""A place outside keeps what it is given, says no in plain words, and its silence is not absence."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from remote_places import KEYS, place

from weyr.gateway.s3.remote.objects import PART_BYTES
from weyr.gateway.s3.remote.place import PlaceProblem, keys_for, place_of
from weyr.gateway.s3.remote.problems import RemoteAbsent, RemoteCannot, RemoteChanged, RemoteRefused, RemoteSilent
from weyr.gateway.s3.remote.store import Remote

KINDS = ("folder", "weyr", "moto")
LONG = bytes(range(256)) * (PART_BYTES // 256 * 2) + b"tail"


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1_000_000):
        yield data[start : start + 1_000_000]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_put_comes_back(kind: str, tmp_path: Path) -> None:
    """Whole and in ranges, with what was said of it, under the key it was put."""

    async def do(remote: Remote) -> None:
        etag = await remote.put("a b/é.bin", b"small", {"Content-Type": "text/plain", "colour": "green"})
        await remote.put_stream("long", pieces_of(LONG), len(LONG))
        await remote.copy("long", "copy/of it")
        found = await remote.head("a b/é.bin")

        assert (found.size, found.etag) == (5, etag)
        if remote.keeps_headers:
            assert found.headers["Content-Type"] == "text/plain"
            assert found.headers["colour"] == "green"
        assert await remote.get("a b/é.bin", 1, 3, etag) == b"mal"
        for key in ("long", "copy/of it"):
            assert await remote.get(key, len(LONG) - 9, 9) == LONG[-9:]
            assert (await remote.head(key)).size == len(LONG)
        await remote.delete("long")
        await remote.delete("long")
        with pytest.raises(RemoteAbsent):
            await remote.head("long")

    with place(kind, tmp_path) as far:
        asyncio.run(do(Remote(far)))


@pytest.mark.parametrize("kind", KINDS)
def test_lists_come_in_order_and_page_by_page(kind: str, tmp_path: Path) -> None:
    """A prefix may end within a name, and a page goes on where the last one ended."""
    names = ["a/1", "a/2", "a/b/3", "a0", "b", "model-01", "model-02", "modem"]

    async def do(remote: Remote) -> None:
        for name in names:
            await remote.put(name, b"x")
        keys: list[str] = []
        after = ""
        while True:
            page = await remote.page(after=after, limit=3)
            keys += [item if isinstance(item, str) else item.key for item in page.items]
            after = keys[-1]
            if not page.is_truncated:
                break
        assert keys == names
        for prefix, delimiter, expected in (
            ("", "/", ["a/", "a0", "b", "model-01", "model-02", "modem"]),
            ("a/", "/", ["a/1", "a/2", "a/b/"]),
            ("mode", "", ["model-01", "model-02", "modem"]),
            ("model-", "/", ["model-01", "model-02"]),
            ("a/b", "", ["a/b/3"]),
            ("nothing", "", []),
        ):
            page = await remote.page(prefix, delimiter)
            assert [item if isinstance(item, str) else item.key for item in page.items] == expected, prefix

    with place(kind, tmp_path) as far:
        asyncio.run(do(Remote(far)))


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_hold(kind: str, tmp_path: Path) -> None:
    """Bytes of another object than the one that was meant are never given."""

    async def do(remote: Remote) -> None:
        first = await remote.put("key", b"one", if_absent=True)
        with pytest.raises(RemoteChanged):
            await remote.put("key", b"two", if_absent=True)
        await remote.put("key", b"three")
        with pytest.raises(RemoteChanged):
            await remote.get("key", 0, 3, first)

    with place(kind, tmp_path) as far:
        asyncio.run(do(Remote(far)))


@pytest.mark.parametrize("key", ["/a", "a/", "a//b", "../up", "a/./b", "a\nb", ""])
def test_a_key_that_would_be_another_one_is_refused(key: str, tmp_path: Path) -> None:
    """`a/` would be kept as `a`, and then one of two objects would be gone."""
    remote = Remote(place_of("far", f"file://{tmp_path}"))

    with pytest.raises(RemoteCannot):
        asyncio.run(remote.put(key, b"x"))


def test_a_place_that_refuses_is_told_from_one_that_is_silent(tmp_path: Path) -> None:
    """Neither of them may be taken for an empty one."""
    with place("weyr", tmp_path) as far:
        endpoint = far.endpoint
        wrong = place_of("far", f"s3://far?endpoint={endpoint}", KEYS | {"secret_access_key": "wrong"})
        for asked in (Remote(wrong).head("a"), Remote(wrong).page()):
            with pytest.raises(RemoteRefused):
                asyncio.run(_result(asked))
        nowhere = place_of("far", f"s3://nowhere?endpoint={endpoint}", KEYS)
        with pytest.raises(RemoteAbsent):
            asyncio.run(_result(Remote(nowhere).page()))
    with socket.socket() as unanswered:
        unanswered.bind(("127.0.0.1", 0))
        closed = place_of("far", f"s3://far?endpoint=http://127.0.0.1:{unanswered.getsockname()[1]}", KEYS)
        for asked in (Remote(closed, retries_max=0).head("a"), Remote(closed, retries_max=0).page()):
            with pytest.raises(RemoteSilent):
                asyncio.run(_result(asked))
        unanswered.listen()  # it takes connections now, and says nothing
        with pytest.raises(RemoteSilent):
            asyncio.run(_result(Remote(closed, silent_s=0.2, retries_max=0).head("a")))


async def _result(asked: object) -> object:
    return await asked  # type: ignore[misc]  # a coroutine of either method


WRONG = {
    "ftp://b": "begins with none of",
    "s3://key:secret@b": "holds credentials",
    "s3://": "names no bucket",
    "file://": "names no folder",
    "s3://b/a//c": "an empty part",
    "s3://b?endpoint=ftp://x": "no http:// or https://",
    "s3://b?colour=green": "options that there are none of: colour",
    "s3://b?credentials=mine": "neither anonymous nor machine",
    "s3://b": "WEYR_REMOTE_FAR_ACCESS_KEY_ID and WEYR_REMOTE_FAR_SECRET_ACCESS_KEY",
    "gs://b": "WEYR_REMOTE_FAR_SERVICE_ACCOUNT",
    "az://b": "the storage account's name",
    "az://b?account=me": "WEYR_REMOTE_FAR_ACCOUNT_KEY or WEYR_REMOTE_FAR_SAS_TOKEN",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_or_a_missing_key_is_said_at_once(url: str) -> None:
    """Whoever mistypes is told so when it starts, and not by the first job that reads."""
    with pytest.raises(PlaceProblem, match=WRONG[url]):
        place_of("far", url)


def test_keys_come_from_the_environment_and_a_file_and_are_never_shown(tmp_path: Path) -> None:
    """A URL is in logs and process lists; what opens it is not."""
    file = tmp_path / "keys.json"
    file.write_text('{"far": {"access_key_id": "ID", "secret_access_key": "in the file"}}')
    keys = keys_for("far", {"WEYR_REMOTE_FAR_SECRET_ACCESS_KEY": "very-secret", "WEYR_REMOTE_OTHER_X": "1"}, file)
    far = place_of("far", "s3://b", keys)

    assert keys == {"access_key_id": "ID", "secret_access_key": "very-secret"}
    assert "very-secret" not in f"{far!r} {far} {far.url} {far.identity}"
    file.write_text("not json very-secret")
    with pytest.raises(PlaceProblem) as caught:
        keys_for("far", {}, file)
    assert "very-secret" not in str(caught.value)
