"""The files of access logs: which are finished, what a cut-off line costs, and what names a delivery."""

from pathlib import Path

from weyr.gateway.s3.logs.delivery import _batches, _key_of
from weyr.gateway.s3.logs.line import operation_of
from weyr.gateway.s3.logs.spool import Line, Spool, finished

LINE = Line("watched", "ann", "logs", "log/", "", 100.0, "a line")


def test_a_file_is_left_alone_while_somebody_may_append_to_it(tmp_path: Path) -> None:
    """And one that a clock which ran ahead named is not waited for until its time comes."""
    now = 1000.0
    spool = Spool(tmp_path, 10.0, lambda: now)
    spool.write([LINE])
    now = 5000.0
    spool.write([LINE])
    now = 1012.0
    assert [path.name[:15] for path in finished(tmp_path, 10.0, 1010.5, 1.0)] == [f"{500:015d}"]
    assert [path.name[:15] for path in finished(tmp_path, 10.0, now, 1.0)] == [f"{100:015d}", f"{500:015d}"]
    assert finished(tmp_path / "missing", 10.0, now, 1.0) == []


def test_a_line_that_a_crash_cut_off_costs_no_other(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10.0, lambda: 0.0)
    spool.write([LINE, LINE])
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes() + b'["watched", "an')
    assert [text for _, text in _batches(path)] == [b"a line\na line\n"]


def test_the_same_file_is_delivered_under_the_same_keys(tmp_path: Path) -> None:
    """A delivery that is repeated after a crash replaces what it put, and doubles nothing."""
    spool = Spool(tmp_path, 10.0, lambda: 0.0)
    spool.write([LINE])
    (place, _), *_ = _batches(next(tmp_path.iterdir()))
    assert _key_of(place, 10.0, "file/0", "here") == _key_of(place, 10.0, "file/0", "here")
    assert _key_of(place, 10.0, "file/0", "here") != _key_of(place, 10.0, "file/1", "here")


def test_a_full_disk_costs_lines_and_not_answers(tmp_path: Path) -> None:
    """Lines that could not be written are counted."""
    spool = Spool(tmp_path / "file" / "access", 10.0, lambda: 0.0)
    (tmp_path / "file").write_bytes(b"")
    spool.write([LINE, LINE])
    assert spool.lost == 2


def test_operations_have_the_names_of_s3() -> None:
    names = {
        ("GET", "k", "", False): "REST.GET.OBJECT",
        ("GET", "", "list-type", False): "REST.GET.BUCKET",
        ("GET", "", "versions", False): "REST.GET.BUCKETVERSIONS",
        ("PUT", "k", "", True): "REST.COPY.OBJECT",
        ("PUT", "k", "uploadId", False): "REST.PUT.PART",
        ("PUT", "k", "uploadId", True): "REST.COPY.PART",
        ("POST", "k", "uploads", False): "REST.POST.UPLOADS",
        ("POST", "k", "uploadId", False): "REST.POST.UPLOAD",
        ("GET", "k", "tagging", False): "REST.GET.OBJECT_TAGGING",
        ("GET", "", "tagging", False): "REST.GET.TAGGING",
        ("OPTIONS", "k", "", False): "REST.OPTIONS.PREFLIGHT",
    }
    assert {asked: operation_of(*asked) for asked in names} == names
