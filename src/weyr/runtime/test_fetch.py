"""Does a model arrive whole, or not at all?"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from obstore.store import LocalStore

from weyr.core.seal import ListedFile, seal_of
from weyr.runtime.fetch import MANIFEST, FetchError, fetch


def source_at(folder: Path) -> str:
    """A source with two files, one of them in a folder."""
    (folder / "parts").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "parts" / "weights.bin").write_bytes(os.urandom(3_000_000))
    return folder.as_uri()


def files_in(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_what_is_fetched_is_the_source_byte_by_byte(tmp_path: Path) -> None:
    """And a second fetch gives the same folder without copying again."""
    source = source_at(tmp_path / "source")
    first = fetch(source, tmp_path / "cache", {})
    written = (first / "parts" / "weights.bin").stat().st_mtime_ns
    assert files_in(first) == files_in(tmp_path / "source")
    assert fetch(source, tmp_path / "cache", {}) == first
    assert (first / "parts" / "weights.bin").stat().st_mtime_ns == written


def test_a_changed_source_is_another_copy(tmp_path: Path) -> None:
    """A replica that runs keeps the files it began with."""
    source = source_at(tmp_path / "source")
    first = fetch(source, tmp_path / "cache", {})
    before = files_in(first)
    (tmp_path / "source" / "MLmodel").write_text("flavors: {other: {}}")
    second = fetch(source, tmp_path / "cache", {})
    assert second != first
    assert files_in(first) == before
    assert files_in(second) == files_in(tmp_path / "source")


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_copy_is_fetched_again(tmp_path: Path, damage: str) -> None:
    """A disk that lies must not change what a model answers."""
    source = source_at(tmp_path / "source")
    weights = fetch(source, tmp_path / "cache", {}) / "parts" / "weights.bin"
    whole = weights.read_bytes()
    match damage:
        case "flipped":
            weights.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        case "cut":
            weights.write_bytes(whole[:-1])
        case _:
            weights.unlink()
    assert files_in(fetch(source, tmp_path / "cache", {})) == files_in(tmp_path / "source")


def test_what_a_killed_fetch_left_is_never_used(tmp_path: Path) -> None:
    """Half a download has a name of its own until it is whole."""
    source = source_at(tmp_path / "source")
    cache = tmp_path / "cache"
    (cache / ".fetching-dead").mkdir(parents=True)
    (cache / ".fetching-dead" / "MLmodel").write_text("half")
    assert files_in(fetch(source, cache, {})) == files_in(tmp_path / "source")


def test_several_replicas_fetch_at_once_and_agree(tmp_path: Path) -> None:
    """All replicas of an endpoint start together on one cache."""
    source = source_at(tmp_path / "source")
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: fetch(source, tmp_path / "cache", {}), range(8)))
    assert len(folders) == 1
    assert files_in(folders.pop()) == files_in(tmp_path / "source")
    assert not list((tmp_path / "cache").glob(".fetching-*"))


@pytest.mark.parametrize("source", ["s3://", "ftp://x/y", "models/1", "file:///nowhere/at/all"])
def test_a_source_that_is_none_is_an_error_that_names_it(tmp_path: Path, source: str) -> None:
    """It ends in the log of the replica, where the user reads it."""
    with pytest.raises(FetchError, match=source):
        fetch(source, tmp_path / "cache", {})
    assert not (tmp_path / "cache").exists()


def test_a_registered_version_whose_files_changed_is_refused(tmp_path: Path) -> None:
    """Somebody who may write to the bucket must not change what an endpoint answers; the reason names the file."""
    source = source_at(tmp_path / "source")
    before = (tmp_path / "source" / "MLmodel").read_text()
    kept = fetch(source, tmp_path / "cache", {}, "digits/3")
    (tmp_path / "source" / "MLmodel").write_text("flavors: {python_function: {}}")
    for _ in range(2):
        with pytest.raises(FetchError, match=r"digits/3 .* MLmodel changed since"):
            fetch(source, tmp_path / "cache", {}, "digits/3")

    assert files_in(fetch(source, tmp_path / "cache", {}, "digits/4")) == files_in(tmp_path / "source")
    (tmp_path / "source" / "MLmodel").write_text(before)
    assert files_in(kept)["MLmodel"].decode() == before


def test_a_version_whose_files_are_not_those_of_its_seal_is_refused_where_it_was_never_fetched(tmp_path: Path) -> None:
    """A new machine knows no earlier copy that it could compare with."""
    source = source_at(tmp_path / "source")
    entries = [entry for page in LocalStore(prefix=tmp_path / "source").list() for entry in page]
    seal = seal_of(ListedFile(entry["path"], entry["size"], entry["e_tag"] or "") for entry in entries)
    assert fetch(source, tmp_path / "cache", {}, "digits/3", seal).is_dir()

    (tmp_path / "source" / "MLmodel").write_text("flavors: {python_function: {}}")
    for cache in ("cache", "new machine's"):
        with pytest.raises(FetchError, match=r"digits/3 .* is not what was registered: MLmodel changed since"):
            fetch(source, tmp_path / cache, {}, "digits/3", seal)


@pytest.mark.parametrize("change", ["more", "fewer"])
def test_a_file_more_or_fewer_is_a_change_too(tmp_path: Path, change: str) -> None:
    """A module beside the weights is code that nobody registered."""
    source = source_at(tmp_path / "source")
    fetch(source, tmp_path / "cache", {}, "digits/3")
    if change == "more":
        (tmp_path / "source" / "evil.py").write_text("")
    else:
        (tmp_path / "source" / "parts" / "weights.bin").unlink()
    with pytest.raises(FetchError, match=r"evil\.py|weights\.bin"):
        fetch(source, tmp_path / "cache", {}, "digits/3")
