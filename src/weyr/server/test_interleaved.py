"""Several tasks are read as one, and each line is still its task's."""

from weyr.server.interleaved import interleaved


def test_lines_come_whole_and_say_whose_they_are() -> None:
    """Two replicas that print at once must not tear each other's lines."""
    first = iter([b"epoch 1\nepo", b"", b"ch 2\n"])
    second = iter([b"", b"begun\n", b"", b"no newline"])

    said = list(interleaved([("0", first), ("1", second)]))

    assert b"".join(said) == b"[0] epoch 1\n[1] begun\n[0] epoch 2\n[1] no newline\n"


def test_nothing_new_is_said_so_that_the_reader_waits() -> None:
    """Otherwise following a quiet gang would take a whole core."""
    assert list(interleaved([("0", iter([b"", b"a\n"])), ("1", iter([b""]))])) == [b"", b"[0] a\n"]
