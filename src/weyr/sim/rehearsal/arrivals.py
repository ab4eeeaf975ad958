"""Who asks for what, and when? Jobs and requests that arrive, read from a trace or made from a rate. Pure.

A trace is a CSV with a header: `at` is when, since the beginning (seconds, or as `1h30m` is written) or as a date and
time; `object` who is asked for (`job/train`, `endpoint/digits`, `bucket/lake:read`); `takes` how long it works;
`count`, for requests, how many come spread over the `over` that follows; `size`, for buckets, the bytes of each object,
and for requests those of each answer that goes elsewhere.
"""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from weyr.core.diagnostic import Diagnostic, Place, UserError, did_you_mean
from weyr.core.units import bytes_of, seconds_of

COLUMNS = ("at", "object", "takes", "count", "over", "size")
PROBLEMS_MAX = 100
OVER_S = 60.0
SERVING = ("endpoint", "service", "function")
VERBS = ("write", "read", "egress", "delete")
"""What is done to a bucket's objects; `egress` is a read from elsewhere. Without a word it is a write."""
COUNT_MAX = 1_000_000_000
RUNS_MAX = 1_000_000
"""Each run of a job is played by itself, thousands in a second of CPU: more than this is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class JobArrival:
    """A run of `job/name` that somebody asks for at `at_s` after the beginning, with `takes_s` of work to do."""

    at_s: float
    name: str
    takes_s: float


@dataclass(frozen=True, slots=True)
class Burst:
    """So many requests, spread over `over_s` from `at_s` on, of which each takes `takes_s` and has an answer of so many
    bytes that goes elsewhere. One: it comes at `at_s`. Each is on its way for up to `told_within_s` before."""

    at_s: float
    count: float
    over_s: float
    takes_s: float
    size_bytes: float = 0.0
    told_within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Moved:
    """So many objects of so many bytes each that are written, read or deleted, spread over `over_s` from `at_s` on."""

    at_s: float
    count: float
    over_s: float
    size_bytes: float


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Jobs in order; for each endpoint, service or function (`kind/name`) its bursts in order; and by bucket
    (`bucket/name`) and verb what is done to its objects, in order."""

    jobs: tuple[JobArrival, ...] = ()
    requests: Mapping[str, tuple[Burst, ...]] = field(default_factory=dict)
    moves: Mapping[str, Mapping[str, tuple[Moved, ...]]] = field(default_factory=dict)

    def asked(self, kind_name: str) -> float:
        """How many requests come to one."""
        return sum(burst.count for burst in self.requests.get(kind_name, ()))


@dataclass(slots=True)
class _Reading:
    file: str
    known: Collection[str]
    expected_s: Mapping[str, float]
    problems: list[Diagnostic] = field(default_factory=list)
    began: datetime | None = None

    def say(self, line: int, summary: str, detail: str, suggestion: str = "") -> None:
        self.problems.append(Diagnostic(summary, detail, place=Place(self.file, line), suggestion=suggestion))


def read_trace(text: str, file: str, known: Collection[str], expected_s: Mapping[str, float]) -> Arrivals:
    """The arrivals that a trace's text tells of.

    Takes: `known`, the objects (`kind/name`) that may be asked; `expected_s`, how long a job or a request takes whose
    row does not say.
    Raises: UserError with every line that is wrong.
    """
    reading = _Reading(file, known, expected_s)
    lines = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(lines, [])]
    unknown = [name for name in header if name not in COLUMNS]
    twice = sorted(name for name, times in Counter(header).items() if times > 1 and name in COLUMNS)
    if unknown or twice or not {"at", "object"} <= set(header):
        detail = f"The first line is to name the columns: at, object, and of {', '.join(COLUMNS[2:])} those it has."
        detail += "".join(f' There is no column "{name}".{did_you_mean(name, COLUMNS)}' for name in unknown[:3])
        detail += "".join(f' "{name}" is there twice.' for name in twice)
        reading.say(1, "Columns that are not known", detail, "at,object,takes")
        raise UserError(*reading.problems)
    jobs: list[JobArrival] = []
    requests: dict[str, list[Burst]] = {}
    moves: dict[str, list[Moved]] = {}
    for row in lines:
        if not row or row[0].lstrip().startswith("#"):
            continue
        if any(cell.strip() for cell in row[len(header) :]):
            reading.say(lines.line_num, "More cells than columns", f"The first line names {len(header)} columns.")
        read = _row(reading, dict(zip(header, (cell.strip() for cell in row), strict=False)), lines.line_num)
        match read:
            case JobArrival():
                jobs.append(read)
            case (name, each) if isinstance(each, Burst):
                requests.setdefault(name, []).append(each)
            case (name, each) if isinstance(each, Moved):
                moves.setdefault(name, []).append(each)
    if len(jobs) > RUNS_MAX:
        reading.say(1, "Too many runs", f"{len(jobs):,} runs of jobs are more than {RUNS_MAX:,}.")
    if reading.problems:
        shown = reading.problems[:PROBLEMS_MAX]
        if more := len(reading.problems) - len(shown):
            shown.append(Diagnostic("More lines are wrong", f"{more} further lines are.", place=Place(file)))
        raise UserError(*shown)
    return arrivals_of(jobs, requests, moves)


def arrivals_of(
    jobs: Sequence[JobArrival],
    requests: Mapping[str, Sequence[Burst]],
    moves: Mapping[str, Sequence[Moved]] | None = None,
) -> Arrivals:
    """All in order of time. `moves` are by bucket with the verb, if it is no write (`bucket/lake:read`)."""
    by_bucket: dict[str, dict[str, tuple[Moved, ...]]] = {}
    for name, each in sorted((moves or {}).items()):
        bucket, _, verb = name.partition(":")
        by_bucket.setdefault(bucket, {})[verb or VERBS[0]] = tuple(sorted(each, key=lambda one: one.at_s))
    return Arrivals(
        tuple(sorted(jobs, key=lambda each: each.at_s)),
        {name: tuple(sorted(bursts, key=lambda each: each.at_s)) for name, bursts in sorted(requests.items())},
        by_bucket,
    )


def _row(
    reading: _Reading, row: Mapping[str, str], line: int
) -> JobArrival | tuple[str, Burst] | tuple[str, Moved] | None:
    at_s = _moment(reading, row.get("at", ""), line)
    name = row.get("object", "")
    kind, _, short = name.partition("/")
    if name not in reading.known:
        detail = f'"{name}" is none of the stack that is asked for something.{did_you_mean(name, reading.known)}'
        reading.say(line, "An object that is not there", detail)
    if kind == "bucket":
        return _moved(reading, row, name, at_s, line)
    if row.get("size") and kind == "job":
        reading.say(line, "A size that nobody has", "Only answers and what is done to buckets have a size.")
    size_bytes = _size(reading, row.get("size") or "0", line)
    takes_s = _duration(reading, row.get("takes", ""), "takes", line)
    if takes_s is None and not row.get("takes"):
        takes_s = reading.expected_s.get(name)
        if takes_s is None and name in reading.known:
            detail = f"How long {name} takes is neither in this row nor anywhere else."
            reading.say(line, "A duration that is missing", detail, "takes: 250ms")
    count, over_s = _count(reading, row.get("count", ""), line), _duration(reading, row.get("over", ""), "over", line)
    if kind == "job" and count not in (None, 1):
        reading.say(line, "A job that is counted", "Each run of a job has a row of its own.")
    if at_s is None or takes_s is None or count is None or size_bytes is None or name not in reading.known:
        return None
    if kind == "job":
        return JobArrival(at_s, short, takes_s)
    return name, Burst(at_s, count, 0.0 if count == 1 and over_s is None else over_s or OVER_S, takes_s, size_bytes)


def _moved(
    reading: _Reading, row: Mapping[str, str], name: str, at_s: float | None, line: int
) -> tuple[str, Moved] | None:
    """What is done to a bucket's objects."""
    count, over_s = _count(reading, row.get("count", ""), line), _duration(reading, row.get("over", ""), "over", line)
    if row.get("takes"):
        reading.say(line, "A duration that nobody has", "What is done to buckets takes no time here.")
    size_bytes = _size(reading, row.get("size", ""), line)
    if at_s is None or count is None or size_bytes is None or name not in reading.known:
        return None
    return name, Moved(at_s, count, 0.0 if count == 1 and over_s is None else over_s or OVER_S, size_bytes)


def _size(reading: _Reading, text: str, line: int) -> float | None:
    try:
        return bytes_of(text)
    except ValueError:
        reading.say(line, "A size that cannot be read", f'"{text}" in size is no size.', "512KiB, 20MB")
        return None


def _moment(reading: _Reading, text: str, line: int) -> float | None:
    if text[4:5] == "-":
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            reading.say(line, "A time that cannot be read", f'"{text}" is no date and time.', "2026-11-02T08:00:00")
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        # The first row's midnight is the beginning: what time of day it is stays what it was.
        reading.began = reading.began or at.replace(hour=0, minute=0, second=0, microsecond=0)
        if at < reading.began:
            reading.say(line, "A time before the beginning", f"{text} is before the day of the first row.")
            return None
        return (at - reading.began).total_seconds()
    if not text:
        reading.say(line, "A time that is missing", 'The row does not say when, in "at".', "0, 90s, 1h30m")
    return _duration(reading, text, "at", line)


def _duration(reading: _Reading, text: str, column: str, line: int) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else seconds_of(text)
    except ValueError as e:
        reading.say(line, "A time that cannot be read", f'"{text}" in {column}: {e}.', "0.25, 90s, 1h30m")
        return None
    return seconds


def _count(reading: _Reading, text: str, line: int) -> float | None:
    if not text:
        return 1
    try:
        count = float(text)
    except ValueError:
        count = -1.0
    if not 0 <= count <= COUNT_MAX:
        reading.say(line, "A count that cannot be", f'"{text}" in count is no number from 0 to {COUNT_MAX:,}.')
        return None
    return count


def names_of(objects: Sequence[str]) -> Iterator[str]:
    """Those of `kind/name` that may be asked for, buckets also with what is done to them."""
    yield from (name for name in objects if name.partition("/")[0] in ("job", "bucket", *SERVING))
    yield from (f"{name}:{verb}" for name in objects if name.startswith("bucket/") for verb in VERBS)
