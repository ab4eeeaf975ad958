"""How are the logs of several tasks read as one? Line by line as they come, each after the name of its task."""

from collections.abc import Iterator, Sequence

LOGS_MAX = 64
"""Each is an open file that is looked at ten times a second."""


def interleaved(logs: Sequence[tuple[str, Iterator[bytes]]]) -> Iterator[bytes]:
    """Whole lines of all logs, `[1] epoch 3`; b"" says that none of them has anything new just now."""
    going, rests = dict(logs), {name: b"" for name, _ in logs}
    while going:
        said = b""
        for name, log in list(going.items()):
            piece = next(log, None)
            if piece is None:
                del going[name]
            *lines, rests[name] = (rests[name] + (piece or b"")).split(b"\n")
            if piece is None and rests[name]:
                lines.append(rests[name])
            said += b"".join(b"[%s] %s\n" % (name.encode(), line) for line in lines)
        if said or going:
            yield said
