"""Names of exported files: readable, within the folder, and never two keys' the same."""

import unicodedata
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from weyr.gateway.s3.care.names import PART_BYTES_MAX, PATH_BYTES_MAX, Names

HOSTILE = st.text(alphabet="aAbB/.\0%~ éE\u0301\\:\n", min_size=1, max_size=12)


def is_folder(key: str, keys: list[str]) -> bool:
    return any(other.startswith(f"{key}/") for other in keys)


def names_of(keys: list[str]) -> dict[str, str]:
    names = Names()
    return {key: names.of(key, "", is_folder(key, keys)) for key in keys}


@given(st.sets(HOSTILE, max_size=12))
def test_every_key_has_a_file_of_its_own_inside(keys: set[str]) -> None:
    """Whatever a file system holds for the same: no case, no two ways to write an accent."""
    found = names_of(sorted(keys))
    folded = {unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()) for name in found.values()}
    assert len(folded) == len(keys)
    for name in found.values():
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert name == str(path), "no part is empty or a dot"
        assert ".." not in path.parts
        assert "\0" not in name
        above = {str(parent) for parent in path.parents}
        assert above.isdisjoint(found.values()), "a file is no folder too"


def test_keys_that_people_use_are_their_own_names() -> None:
    keys = ["data/train/part-0001.parquet", "model.bin", "notes/Über uns.txt"]
    assert names_of(keys) == {key: key for key in keys}


def test_long_keys_fit_any_file_system() -> None:
    for key in ("x" * 1024, "é" * 512, "/".join(["ab"] * 341), "%" * 1024):
        (name,) = names_of([key]).values()
        assert len(name.encode()) <= PATH_BYTES_MAX
        assert all(len(part.encode()) <= PART_BYTES_MAX for part in name.split("/"))
