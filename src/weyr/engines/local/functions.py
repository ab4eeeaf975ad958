"""How does a function come to be on this machine? Through one file that the functions plane reads, and by telling the
S3 plane which objects' events are for it.

The file is the durable truth, as with routes; a plane that does not answer reads it when it comes back.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.core.capability import Answers, Capability, FunctionBody, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.core.schema import to_plain
from weyr.core.seen import Absent, FunctionFacts, FunctionUse, Present, Seen, Unknown
from weyr.engines.local.control import NoAnswer, PlaneDown, ask
from weyr.engines.local.uses import SHOW_EVERY_S, Uses
from weyr.wire.counters import Counted, Key

Entry = Mapping[str, Any]
"""One function in the file: thing, since when it is there, generation, socket, body."""

_FIELDS = ("thing", "generation", "socket", "body")
_COUNTS = (
    "instances", "waiting", "pending", "queued", "dead", "invocations", "errors", "cold_starts", "p50_ms", "p99_ms",
    "cold_p50_ms", "worked", "worked_s", "last_used_at",
)  # fmt: skip


class LocalFunctions:
    """Provider of functions on this machine.

    Promises: what `ensure` accepted is on disk before it returns, and so are the bucket's triggers. Only one process
    writes the file; its threads queue here. `expect_hosts` is told how many functions may be called.
    `address_of` says where a host of this machine will listen.
    """

    capability = Capability.FUNCTIONS

    def __init__(
        self,
        file: Path,
        sockets: Path,
        epoch: int = 0,
        expect_hosts: Callable[[int], None] = lambda _count: None,
        address_of: Callable[[ThingId], str] = lambda _id: "",
        uses: Path | None = None,
        show_every_s: float = SHOW_EVERY_S,
    ) -> None:
        self._file, self._sockets, self._epoch = file, sockets, epoch
        self._expect_hosts, self._expected = expect_hosts, 0
        self._address_of = address_of
        self._lock = threading.Lock()
        self._uses = Uses(uses, self._stands, show_every_s)

    def recount(self) -> None:
        """The next look reads what was counted, however lately it was read."""
        self._uses.forget()

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """What the plane does for these. `facts.generation` is what it has applied, `generation` what was accepted."""
        kept = _by_thing(_read(self._file)[1])
        self._expect(len(kept))
        try:
            stats = self._ask("functions", "GET", "/stats")["functions"]
        except PlaneDown:
            with self._lock:
                return {id: self._without_plane(kept.get(str(id)), id) for id in ids}
        except (NoAnswer, KeyError) as e:
            return {id: Unknown(f"the functions plane does not answer: {str(e) or type(e).__name__}") for id in ids}
        served = {entry["thing"]: entry for entry in stats.values()}
        with self._lock:
            return {id: self._seen(kept.get(str(id)), served.get(str(id)), id) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """Writes the functions down, wakes the plane, and sets the triggers of the buckets that they name."""
        answers: dict[ThingId, Refused | Unknown] = {}
        with self._lock:
            generation, before = _read(self._file)
            entries = dict(before)
            for want in wanted:
                if problem := _problem(entries, want):
                    answers[want.id] = Refused(problem)
                    continue
                assert isinstance(want.body, FunctionBody)
                known = before.get(want.body.name)
                since = known["since"] if known else self._uses.since(want.id, time.time())
                entries[want.body.name] = self._entry(want, want.body, since)
            self._replace(generation, before, entries)
            for want in wanted:
                if want.id not in answers and (answer := self._set_triggers(want, before, entries)):
                    answers[want.id] = answer
        return answers

    def release(self, ids: Sequence[ThingId]) -> Answers:
        """Takes the functions out; calls that are under way still end. Their triggers go first."""
        gone = {str(id) for id in ids}
        answers: dict[ThingId, Unknown] = {}
        with self._lock:
            generation, before = _read(self._file)
            entries = {name: entry for name, entry in before.items() if entry["thing"] not in gone}
            for name, entry in before.items():
                if name not in entries and (why := self._told(_buckets(entry), entries)):
                    answers[ThingId.parse(entry["thing"])] = Unknown(why)
                    entries[name] = entry
            self._replace(generation, before, entries)
        return answers

    def inventory(self) -> Sequence[ThingId]:
        """Every function in the file."""
        return [ThingId.parse(entry["thing"]) for entry in _read(self._file)[1].values()]

    def _entry(self, want: Wanted, body: FunctionBody, since: float) -> Entry:
        mark = hashlib.sha256(f"{self._file} {want.id}".encode()).hexdigest()[:16]
        hosts = ((part, address or self._address_of(ThingId(want.id.ref, part))) for part, address in body.hosts)
        body = replace(body, hosts=tuple((part, address) for part, address in hosts if address))
        return {
            "thing": str(want.id),
            "since": since,
            "generation": want.generation,
            "socket": str(self._sockets / f"f-{mark}.sock"),
            "body": to_plain(FunctionBody, body),
        }

    def _without_plane(self, kept: Entry | None, id: ThingId) -> Seen:
        """No plane runs, so what the file does not name cannot be served: that is a proof of absence."""
        return Unknown("the functions plane is not running") if kept else self._gone(id)

    def _seen(self, kept: Entry | None, served: Entry | None, id: ThingId) -> Seen:
        if kept is None and served is None:
            return self._gone(id)
        entry: Entry = served or {}
        hosts = tuple(dict(entry.get("hosts", {})).items())
        counts = {name: entry[name] for name in _COUNTS if name in entry}
        use = self._counted(id, kept["since"]) if kept else None
        work = tuple(entry.get("work_classes", ()))
        facts = FunctionFacts(
            entry.get("generation", 0), entry.get("socket", ""), hosts, work_classes=work, use=use, **counts
        )
        return Present(facts, kept["generation"] if kept else facts.generation)

    def _gone(self, id: ThingId) -> Seen:
        """It is served by nobody: what was counted of it is final, once every process has let go of it."""
        try:
            last = self._uses.last(id)
        except EngineSilent as e:
            return Unknown(str(e))
        return Absent(last=FunctionFacts(use=_use(*last)) if last and any(last[1].cells) else None)

    def _counted(self, id: ThingId, since: float) -> FunctionUse | None:
        """None where nobody counts, or where what was counted cannot be read just now: then it is read later."""
        try:
            counted = self._uses.of(id, since)
        except EngineSilent:
            return None
        return _use(since, counted) if counted else None

    def _stands(self, key: Key) -> bool:
        thing, since = key
        return any((e["thing"], e["since"]) == (thing, since) for e in _read(self._file)[1].values())

    def _set_triggers(self, want: Wanted, before: Mapping[str, Entry], now: Mapping[str, Entry]) -> Unknown | None:
        assert isinstance(want.body, FunctionBody)
        had = before.get(want.body.name)
        buckets = _buckets(now[want.body.name]) | (_buckets(had) if had else set())
        if had and had["body"]["objects"] == now[want.body.name]["body"]["objects"] and not want.body.objects:
            return None
        why = self._told(buckets, now)
        return Unknown(why) if why else None

    def _told(self, buckets: set[str], entries: Mapping[str, Entry]) -> str:
        """Tells the S3 plane all triggers of these buckets. Gives why it could not be, or nothing."""
        for bucket in sorted(buckets):
            triggers = [
                {"function": name, "prefix": t["prefix"], "suffix": t["suffix"], "events": list(t["events"])}
                for name, entry in entries.items()
                for t in entry["body"]["objects"]
                if t["bucket"] == bucket
            ]
            try:
                status, answer = ask(
                    self._sockets / "s3.sock", "PUT", f"/triggers/{quote(bucket, safe='')}", triggers, self._epoch
                )
            except (PlaneDown, NoAnswer) as e:
                return f"the S3 plane does not answer: {e}"
            # A bucket that is gone tells of nothing any more, as was asked.
            if status != 200 and not (status == 404 and not triggers):
                return f"the S3 plane does not take the triggers of {bucket}: {answer}"
        return ""

    def _expect(self, count: int) -> None:
        """Tells on change; also of functions from before this process."""
        if count != self._expected:
            self._expected = count
            self._expect_hosts(count)

    def _replace(self, generation: int, before: Mapping[str, Entry], entries: Mapping[str, Entry]) -> None:
        self._expect(len(entries))
        if entries == before:
            return
        try:
            if entries:
                _write(self._file, {"generation": generation + 1, "functions": entries})
            else:
                self._file.unlink(missing_ok=True)
        except OSError as e:
            raise EngineSilent(f"the functions could not be written to {self._file}: {e}") from e
        try:
            self._ask("functions", "POST", "/reload")
        except (PlaneDown, NoAnswer):
            # The plane watches the file too; asking only saves it the wait.
            return

    def _ask(self, plane: str, method: str, path: str) -> Any:
        """Raises: PlaneDown where nobody listens; NoAnswer where no answer came."""
        status, answer = ask(self._sockets / f"{plane}.sock", method, path, epoch=self._epoch)
        if status != 200:
            raise NoAnswer(f"{path} was answered with status {status}")
        return answer


def _problem(entries: Mapping[str, Entry], want: Wanted) -> str:
    """Why this cannot be, or nothing."""
    if not isinstance(want.body, FunctionBody):
        return f"a functions plane cannot hold a {want.body.of}"
    known = entries.get(want.body.name)
    if known and known["thing"] != str(want.id):
        return f"the function {want.body.name} belongs to {known['thing']}"
    if known and want.generation < known["generation"]:
        return f"generation {want.generation} came after generation {known['generation']}"
    return ""


def _buckets(entry: Entry) -> set[str]:
    return {trigger["bucket"] for trigger in entry["body"]["objects"]}


def _by_thing(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {entry["thing"]: entry for entry in entries.values()}


def _use(since: float, counted: Counted) -> FunctionUse:
    """The plane's cells are the fields of FunctionUse, in their order."""
    return FunctionUse(since, *counted.cells[: len(fields(FunctionUse)) - 1])


def _read(file: Path) -> tuple[int, Mapping[str, Entry]]:
    """The file's generation and its functions; none where it was damaged: the loop misses them and has them written
    again. Raises: EngineSilent where it cannot be read."""
    try:
        plain = json.loads(file.read_bytes())
        entries = {
            str(name): {"since": float(entry.get("since", 0.0)), **{field: entry[field] for field in _FIELDS}}
            for name, entry in plain["functions"].items()
        }
        return int(plain["generation"]), entries
    except FileNotFoundError:
        return 0, {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0, {}
    except OSError as e:
        raise EngineSilent(f"the functions in {file} cannot be read: {e}") from e


def _write(file: Path, plain: object) -> None:
    """Replaces the file: synced before it gets its name, and the name synced before this returns."""
    temporary = file.with_name(f".{file.name}.tmp")
    with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.write(json.dumps(plain, indent=1))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
