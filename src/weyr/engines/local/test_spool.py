"""What lies in the spool comes into its bucket, and stays where it lies until it is there."""

from pathlib import Path

from obstore.store import LocalStore

from weyr.engines.local.spool import Carrier

KEY = "payloads/digits/chat/version=3/date=2026-11-22/hour=12/1-2-3.jsonl"


def written(root: Path, name: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"a":1}\n')
    return file


def test_what_is_whole_is_carried_and_what_is_in_the_making_is_not(tmp_path: Path) -> None:
    """Each file becomes one object of the same name; its folders do not stay behind."""
    spool, buckets, told = tmp_path / "spool", tmp_path / "buckets", list[str]()
    written(spool, f"lake/{KEY}")
    making = written(spool, f"lake/{KEY}.part".replace("hour=12", "hour=13"))
    carrier = Carrier(spool, lambda name: LocalStore(buckets / name, mkdir=True), lambda event, **_: told.append(event))

    assert carrier.carry()

    assert (buckets / "lake" / KEY).read_text() == '{"a":1}\n'
    assert [path for path in spool.rglob("*") if path.is_file()] == [making]
    assert not list(spool.rglob("hour=12"))


def test_what_cannot_be_carried_stays_and_is_told_of_once(tmp_path: Path) -> None:
    """A bucket that is away for an hour costs nothing but that hour."""
    spool, buckets, told = tmp_path / "spool", tmp_path / "buckets", list[str]()
    file = written(spool, f"lake/{KEY}")
    buckets.mkdir()
    blocked = written(buckets, "lake/payloads")
    carrier = Carrier(spool, lambda name: LocalStore(buckets / name, mkdir=True), lambda event, **_: told.append(event))

    assert not carrier.carry()
    assert not carrier.carry()
    assert file.exists()
    assert told == ["payloads.stay"]

    blocked.unlink()
    assert carrier.carry()
    assert not file.exists()
