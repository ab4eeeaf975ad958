"""Nothing secret is shown, nothing is dropped silently, and the disk does not fill."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from weyr.attempt.logs import Masker, TaskLog, follow_log, read_log


def masked(secrets: Sequence[str], *chunks: bytes) -> bytes:
    masker = Masker(secrets)
    return b"".join(masker.feed(chunk) for chunk in chunks) + masker.rest()


MASKED: dict[str, tuple[Sequence[str], tuple[bytes, ...], bytes]] = {
    "a secret in one piece": (["hunter2"], (b"key=hunter2;",), b"key=****;"),
    "a secret cut in two by the reads": (["hunter2"], (b"key=hun", b"ter2;"), b"key=****;"),
    "a secret that comes byte by byte": (["hunter2"], tuple(bytes([b]) for b in b"xhunter2y"), b"x****y"),
    "what only began like a secret": (["hunter2"], (b"hunt", b"ing"), b"hunting"),
    "most of a secret at the very end": (["hunter2"], (b"key=hunter",), b"key=****"),
    "a secret that holds another": (["open", "open sesame"], (b"open sesame, open",), b"****, ****"),
    "each line of a secret of many lines": (["first line\nsecond line"], (b"at second line:",), b"at ****:"),
    "a value too short to be one": (["1"], (b"1 + 1",), b"1 + 1"),
    "a repeated beginning": (["ababc"], (b"abab", b"abc"), b"ab****"),
}


@pytest.mark.parametrize("case", MASKED)
def test_secrets_are_masked(case: str) -> None:
    """Also where a read ends in the middle of one."""
    secrets, chunks, shown = MASKED[case]
    assert masked(secrets, *chunks) == shown


def test_old_files_are_dropped_and_the_log_says_so(tmp_path: Path) -> None:
    """The newest output is what helps; that some is missing must be plain to see."""
    log = TaskLog(str(tmp_path), [], file_bytes=100, files=3)
    for number in range(100):
        log.write(b"line %03d\n" % number)
    log.close()
    text, _, _ = read_log(str(tmp_path))
    assert text.endswith(b"line 099\n")
    assert b"of this log were dropped" in text
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * 250


def test_the_tail_reaches_over_files(tmp_path: Path) -> None:
    """Ten lines are ten lines, wherever a file ends."""
    log = TaskLog(str(tmp_path), [], file_bytes=20, files=4)
    for number in range(6):
        log.write(b"line %03d\n" % number)
    assert read_log(str(tmp_path), tail=4)[0] == b"".join(b"line %03d\n" % n for n in range(2, 6))
    assert read_log(str(tmp_path), tail=0)[0] == b""


def test_following_misses_nothing_when_files_change(tmp_path: Path) -> None:
    """A reader goes from file to file as the writer does."""
    log = TaskLog(str(tmp_path), [], file_bytes=20, files=4)
    log.write(b"begin\n")
    text, name, position = read_log(str(tmp_path))
    follower = follow_log(lambda: str(tmp_path), name, position)
    for number in range(30):
        log.write(b"line %03d\n" % number)
        while part := next(follower):
            text += part
    shown = [line for line in text.splitlines() if not line.startswith(b"[weyr]")]
    assert shown == [b"begin", *(b"line %03d" % number for number in range(30))]


def test_our_own_lines_begin_at_a_line_start(tmp_path: Path) -> None:
    """A program's half line and a sentence of ours do not run together."""
    log = TaskLog(str(tmp_path), [])
    log.write(b"loading...")
    log.say("the node is reclaimed")
    log.close()
    assert read_log(str(tmp_path))[0] == b"loading...\n[weyr] the node is reclaimed\n"


def test_a_flood_is_slowed_down(tmp_path: Path) -> None:
    """A task that prints without end waits for us, and not the machine for it."""
    log = TaskLog(str(tmp_path), [])
    assert log.wait_s() == 0
    for _ in range(600):
        log.write(b"x" * 65536)
    assert log.wait_s() > 0
