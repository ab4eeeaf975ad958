"""Somebody puts the clock back under the object store: the order of what was written does not depend on it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_user import LIBRARY
from s3_plane import S3Plane, running_s3
from s3_wire import Answer, ask

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class ClockedPlane:
    """A plane whose clock a test sets. Its clients go by the same clock, as on one machine."""

    def __init__(self, plane: S3Plane, clock: Path) -> None:
        self.plane = plane
        self._clock = clock
        self._by_s = 0.0

    def set_clock(self, by_s: float) -> None:
        draft = self._clock.with_suffix(".tmp")
        draft.write_text(f"{by_s:+.0f}\n")
        draft.replace(self._clock)
        self._by_s = by_s

    def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        return ask(self.plane, method, target, body, at=time.time() + self._by_s)

    def versions(self) -> list[str]:
        """The ids of the key's versions as listed."""
        text = self.ask("GET", "/kept?versions=").body.decode()
        return [part.partition("<")[0] for part in text.split("<VersionId>")[1:]]


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[ClockedPlane]:
    assert LIBRARY.exists(), "libfaketime is needed to set a clock: apt-get install faketime"
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    faked |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with running_s3(tmp_path / "s3", arguments=["--sweep-every-s", "0.1"], variables={**os.environ, **faked}) as plane:
        made = ClockedPlane(plane, clock)
        made.ask("PUT", "/kept")
        made.ask(
            "PUT", "/kept?versioning=", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        )
        yield made
        assert "s3.bug" not in (plane.folder / "s3.log").read_text()


def test_the_last_write_is_the_newest_whatever_the_clock_says(clocked: ClockedPlane) -> None:
    """Back by an hour, a day, and on again: each write comes before all that were there, across a restart too."""
    written: list[str] = []
    for number, by_s in enumerate((0.0, -HOUR_S, -DAY_S, HOUR_S, -2 * HOUR_S)):
        clocked.set_clock(by_s)
        if number == 3:
            clocked.plane.stop()
            clocked.plane.start()
        put = clocked.ask("PUT", "/kept/a", b"%d" % number)
        written.insert(0, put.headers["x-amz-version-id"])

        assert clocked.ask("GET", "/kept/a").body == b"%d" % number
        assert clocked.versions() == written
    assert clocked.ask("DELETE", "/kept/a").headers["x-amz-delete-marker"] == "true"
    assert clocked.ask("GET", "/kept/a").told == "404 NoSuchKey"
    assert len(set(written)) == 5


def test_nothing_ends_before_its_time_by_any_clock(clocked: ClockedPlane) -> None:
    """A rule of one day: a clock that was a week back for a while makes an object no older than it says it is."""
    rule = b"<Rule><Status>Enabled</Status><Filter/><Expiration><Days>2</Days></Expiration></Rule>"
    clocked.ask("PUT", "/kept/a", b"now")
    assert (
        clocked.ask("PUT", "/kept?lifecycle=", b"<LifecycleConfiguration>" + rule + b"</LifecycleConfiguration>").status
        == 200
    )

    for by_s in (-7 * DAY_S, 0.0, 12 * HOUR_S, 0.0):
        clocked.set_clock(by_s)
        clocked.ask("PUT", "/kept/b", b"then")
        assert clocked.ask("GET", "/kept/a").body == b"now"
        assert clocked.ask("GET", "/kept/b").body == b"then"


def test_a_signature_goes_by_the_planes_clock(clocked: ClockedPlane) -> None:
    """Who signs by the right time is refused while the plane's is wrong, and served as soon as it is right."""
    for by_s, told in ((-HOUR_S, "403 RequestTimeTooSkewed"), (HOUR_S, "403 RequestTimeTooSkewed"), (0.0, "200")):
        clocked.set_clock(by_s)
        assert ask(clocked.plane, "GET", "/kept").told == told
