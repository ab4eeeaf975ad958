"""How is a comparison told? A row for each figure: what was rehearsed, what was, and how far off that is."""

from collections.abc import Iterator
from typing import Any

from honest_compare import Row
from honest_user import Real

HEAD = "| | rehearsed | really | off | waited for a core |\n|---|---|---|---|---|"
BEGIN, END = "<!-- what bench/rehearse_honest.py measured -->", "<!-- until here -->"
SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def lines_of(row: Row) -> Iterator[str]:
    name = row.stack.name
    if row.why_not:
        yield f"| {name}: not compared | | | | |"
        return
    ranges, reals = row.told["ranges"], row.reals
    asked = (
        f", {_range([len(real.latencies) + real.failed for real in reals], '{:.0f}')} requests"
        if row.stack.asked
        else ""
    )
    busy = f"{sum(real.waited for real in reals) / len(reals):.0%}"
    totals = [sum(real.micros.values()) for real in reals]
    head = f"{name}: {row.stack.says}{asked}: cost, USD"
    yield _line(head, ranges["cost"]["total_micros"], totals, 1e-6, "{:.6f}", busy)
    names = sorted({name for real in reals for name, micros in real.micros.items() if micros})
    if len(names) > 1:
        for each in names:
            told = ranges["cost"]["by_object_micros"].get(each)
            yield _line(f"{name}: of it {each}", told, [real.micros.get(each, 0) for real in reals], 1e-6, "{:.6f}")
    jobs = list(ranges["jobs"].values())
    spans = [real.jobs_s for real in reals if real.jobs_s is not None]
    if jobs and spans and jobs[0]["took_mean_s"]:
        yield _line(f"{name}: jobs were over after, s", _last(jobs), spans, 1.0, "{:.1f}")
    if row.stack.asked:
        yield from _latencies(row, ranges["serving"].get(row.stack.asked, {}))


def _latencies(row: Row, serving: dict[str, Any]) -> Iterator[str]:
    name, reals = row.stack.name, row.reals
    failed, dropped = sum(real.failed for real in reals), serving.get("dropped")
    if failed or (dropped and dropped["mean"]):
        yield f"| {name}: failed | {dropped['mean'] if dropped else 0:g} | {failed / len(reals):g} | | |"
    for key, share in SHARES:
        was = [quantile(real.latencies, share) for real in reals if real.latencies]
        if was:
            yield _line(f"{name}: {key}, ms", serving.get(f"latency_{key}_s"), was, 1000.0, "{:.1f}")


def problems_of(row: Row) -> list[str]:
    """Why it is not compared, or what failed in it."""
    if row.why_not:
        return [f"{row.stack.name}: {row.why_not}"]
    return [f"{row.stack.name}: {real.failed} failed: {real.refused}" for real in row.reals if real.failed]


def cost_off(row: Row) -> float | None:
    totals = [sum(real.micros.values()) for real in row.reals]
    mean = sum(totals) / max(1, len(totals))
    return row.told["ranges"]["cost"]["total_micros"]["mean"] / mean - 1 if mean else None


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def plain(row: Row) -> dict[str, Any]:
    """For a machine."""
    return {
        "stack": row.stack.name, "why_not": row.why_not, "ranges": row.told.get("ranges"),
        "assumed": row.told.get("assumed"), "reals": [_plain(real) for real in row.reals],
    }  # fmt: skip


def _plain(real: Real) -> dict[str, Any]:
    shares = {key: quantile(real.latencies, share) for key, share in SHARES} if real.latencies else {}
    return {
        "micros": real.micros, "failed": real.failed, "refused": real.refused, "jobs_s": real.jobs_s,
        "waited": round(real.waited, 3), "requests": len(real.latencies) + real.failed, **shares,
    }  # fmt: skip


def _last(jobs: list[dict[str, Any]]) -> dict[str, float]:
    return max((job["took_p99_s"] for job in jobs), key=lambda of: of["mean"])


def _line(head: str, told: Any, was: list[float], scale: float, form: str, more: str = "") -> str:
    """A figure and its range over seeds, and what was, with its range over the runs."""
    mean = sum(was) / len(was)
    off = f"{told['mean'] / mean - 1:+.1%}" if told and mean else ""
    said = "-" if told is None else _said(told["mean"] * scale, told["p10"] * scale, told["p90"] * scale, form)
    return f"| {head} | {said} | {_range([each * scale for each in was], form)} | {off} | {more} |"


def _range(values: list[float], form: str) -> str:
    return _said(sum(values) / len(values), min(values), max(values), form)


def _said(mean: float, low: float, high: float, form: str) -> str:
    text, ends = form.format(mean), (form.format(low), form.format(high))
    return text if ends == (text, text) else f"{text} [{ends[0]}-{ends[1]}]"
