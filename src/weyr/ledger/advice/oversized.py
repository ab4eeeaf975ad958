"""Who asks for more than is ever used? What was measured, with room above it, against what is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from weyr.core.units import size_text
from weyr.ledger.advice.amounts import MONTH_HOURS, ago, difference, monthly, sureness
from weyr.ledger.advice.values import Asked, Change, Looked, Rule, Saving, Subject
from weyr.store.use_peaks import UsePeak

CPU, MEMORY = "task.cpu", "task.memory"
ROOM_MILLI = {CPU: 1500, MEMORY: 1300}
"""What is left above the most that was seen: a busier hour may come, and too little memory ends a task."""
WORTH_MILLI = 700
"""Below so much of what is asked for it is worth a change."""
WHOLE_RUN_MS = 10_000
"""A run that was over sooner was spent starting."""
CPU_STEP, MEMORY_STEP, MEMORY_LEAST = 100, 64 * 2**20, 128 * 2**20


def oversized(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """Of tasks that are paid by what they ask for; on a pool's node a smaller task costs the same node. What somebody
    will do in a session is not told by what was done in it so far."""
    asked = subject.asked
    if asked is None or asked.is_on_pool or subject.session is not None:
        return
    least_ms = WHOLE_RUN_MS if asked.ends else looked.idle_s * 1000
    seen = {sku: peak for sku, peak in subject.peaks.items() if peak.ran_ms >= least_ms}
    fitting = Asked(_cpu(asked, seen), _memory(asked, seen))
    changes, told = [], []
    if fitting.cpu_milli < asked.cpu_milli:
        before, after = _cores(asked.cpu_milli), _cores(fitting.cpu_milli)
        changes.append(Change(subject.ref, ("resources", "cpu"), after, before))
        told.append(f"{seen[CPU].peak / 1000:.2g} of its {before} CPU{'s' * (before != 1)}")
    if fitting.memory_bytes != asked.memory_bytes:
        has = size_text(asked.memory_bytes or 0)
        wanted = f"{(fitting.memory_bytes or 0) // 2**20}MiB"
        changes.append(Change(subject.ref, ("resources", "memory"), wanted, has))
        told.append(f"{size_text(_held(seen[MEMORY]))} of its {has} of memory")
    if changes:
        watched_s = max(peak.ran_ms for peak in seen.values()) / 1000
        detail = f"it used at most {' and '.join(told)} in {ago(watched_s)}."
        after_all = replace(asked, cpu_milli=fitting.cpu_milli, memory_bytes=fitting.memory_bytes)
        saved = _saved(subject, asked, after_all)
        yield Saving(Rule.OVERSIZED, subject.ref, detail, saved, sureness(watched_s), tuple(changes))


def _cpu(asked: Asked, seen: Mapping[str, UsePeak]) -> int:
    """Thousandths of a core that would do; what is asked for, where that is little more, or nothing was measured."""
    peak = seen.get(CPU)
    if peak is None or peak.asked != asked.cpu_milli:
        return asked.cpu_milli
    fits = _with_room(CPU, peak.peak, CPU_STEP)
    return fits if fits <= _worth(asked.cpu_milli) else asked.cpu_milli


def _memory(asked: Asked, seen: Mapping[str, UsePeak]) -> int | None:
    peak, has = seen.get(MEMORY), asked.memory_bytes
    if peak is None or has is None or peak.asked != has * 1000 // 2**30:
        return has
    fits = max(MEMORY_LEAST, _with_room(MEMORY, _held(peak), MEMORY_STEP))
    return fits if fits <= _worth(has) else has


def _saved(subject: Subject, asked: Asked, wanted: Asked) -> int | None:
    """What runs to an end is taken to run next month as long as in the last; what is kept runs on."""
    hours = subject.ran_hours if asked.ends else MONTH_HOURS * max(1, subject.tasks_running)
    before, after = (monthly(subject.prices, each.quantities(), hours) for each in (asked, wanted))
    return difference(before, after)


def _held(peak: UsePeak) -> int:
    """Bytes, of what is kept in thousandths of a GiB."""
    return peak.peak * 2**30 // 1000


def _with_room(sku: str, peak: int, step: int) -> int:
    return max(1, -(-peak * ROOM_MILLI[sku] // 1000 // step)) * step


def _worth(asked: int) -> int:
    return asked * WORTH_MILLI // 1000


def _cores(milli: int) -> float | int:
    return milli // 1000 if milli % 1000 == 0 else milli / 1000
