"""How is a rehearsal told? A table of what it cost and how well it served, the ranges over seeds beside."""

from collections.abc import Mapping, Sequence
from typing import Any

from weyr.charts.chart import Curve, Plot, Point
from weyr.cli.screen import table
from weyr.core.units import MICROS, duration_text, money_text, size_text
from weyr.stack.vary import pareto

Plain = Mapping[str, Any]
RIGHT = frozenset({1, 2, 3, 4, 5, 6})


def told(ranges: Plain, length_s: float, seeds: int, startup: Plain, saving: Sequence[str]) -> str:
    """The tables of one rehearsal. `saving` are jobs that go on from a checkpoint; of those that are in `startup` it is
    known what they need until they do."""
    parts = [_bill(ranges["cost"], length_s, seeds)]
    if ranges["serving"]:
        parts.append(_serving(ranges["serving"]))
    if ranges["jobs"]:
        parts.append(_jobs(ranges["jobs"]))
    if ranges["storage"]:
        parts.append(_storage(ranges["storage"]))
    if ranges["pools"]:
        rows = [[name, _count(of["node_h"]), _share(of["utilisation"])] for name, of in ranges["pools"].items()]
        parts.append(table(["pool", "node hours", "in use"], rows, RIGHT))
    parts.append(_interruptions(ranges["interruptions"]))
    if saving and _mean(ranges["interruptions"]["count"]):
        parts.append("\n".join(startup_text(name, startup.get(name)) for name in saving))
    return "\n\n".join(parts)


def _bill(cost: Plain, length_s: float, seeds: int) -> str:
    rows = [[name, _money(micros)] for name, micros in cost["by_object_micros"].items()]
    rows.append(["total", _money(cost["total_micros"])])
    over = f"over {seeds} seeds, 10 % to 90 % in brackets" if seeds > 1 else "with one seed"
    lines = [table([f"{duration_text(length_s)} {over}", cost["currency"]], rows, RIGHT)]
    if cost["unpriced"]:
        lines.append(f"No price is known for {', '.join(cost['unpriced'])}: it is not in these sums.")
    return "\n".join(lines)


def _serving(serving: Plain) -> str:
    head = ["endpoint", "requests", "in time", "p50", "p99", "replica hours", "in use"]
    rows = [
        [
            name, _count(of["requests"]), _share(of["within_slo"]), _time(of["latency_p50_s"]),
            _time(of["latency_p99_s"]), _count(of["replica_h"]), _share(of["utilisation"]),
        ]
        for name, of in serving.items()
    ]  # fmt: skip
    return table(head, rows, RIGHT)


def _jobs(jobs: Plain) -> str:
    head = ["job", "runs", "done", "queued", "p50", "p99", "took"]
    rows = [
        [
            f"job/{name}", _count(of["asked"]), _count(of["done"]), _time(of["queued_mean_s"]),
            _time(of["queued_p50_s"]), _time(of["queued_p99_s"]), _time(of["took_mean_s"]),
        ]
        for name, of in jobs.items()
    ]  # fmt: skip
    return table(head, rows, RIGHT)


def _storage(storage: Plain) -> str:
    rows = [
        [name, _count(of["writes"]), _count(of["reads"]), _size(of["egress_bytes"]), _held(of)]
        for name, of in storage.items()
    ]
    return table(["bucket", "writes", "reads", "sent elsewhere", "at the end"], rows, RIGHT)


def _held(of: Plain) -> str:
    """What a bucket holds at the end, and how much of it is of which class."""
    classes = [name for name in of if name.endswith("_bytes") and name not in ("egress_bytes", "stored_bytes")]
    parts = [f"{_size(of[name])} {name.removesuffix('_bytes')}" for name in classes if _mean(of[name])]
    return _size(of["stored_bytes"]) + (f" ({', '.join(parts)})" if parts else "")


def _interruptions(of: Plain) -> str:
    if not _mean(of["count"]):
        return "Nothing was interrupted."
    why = ", ".join(f"{_count(count)} {reason}" for reason, count in of["by_reason"].items())
    again = f", and {_time(of['startup_again_s'])} went into starting up again" if _mean(of["startup_again_s"]) else ""
    many = f"{_count(of['count'])} interruption{'' if of['count']['mean'] == of['count']['p90'] == 1 else 's'}"
    return f"{many} ({why}); {_time(of['lost_work_s'])} of work was lost{again}."


def startup_text(job: str, startup: Plain | None) -> str:
    """What an attempt is taken to need before it goes on, and who says so."""
    if startup is None:
        return f"{job}: start-up assumed none, as it was not measured. What it takes is told by --startup."
    takes_s, many = startup["takes_s"], startup["attempts"]
    whence = f"measured over {many} attempt{'s' if many > 1 else ''}" if many else "as it was said"
    return f"{job}: start-up {duration_text(takes_s)} in each attempt, {whence}."


def frontier(variants: Sequence[tuple[Plain, Plain]]) -> list[dict[str, Any]]:
    """Each variant (its values, its ranges) with what it costs, how good it is, and whether nothing beats it."""
    points = [(_mean(ranges["cost"]["total_micros"]), -_bad(ranges)["mean"]) for _, ranges in variants]
    return [
        {"values": dict(values), "cost_micros": ranges["cost"]["total_micros"], "late": _bad(ranges), "pareto": best}
        for (values, ranges), best in zip(variants, pareto(points), strict=True)
    ]


def _bad(ranges: Plain) -> dict[str, float]:
    """What is to be small: the share of all requests that were late or dropped; without any, how long jobs took."""
    serving = [of for of in ranges["serving"].values() if of["within_slo"] is not None]
    if serving:
        asked = sum(_mean(of["requests"]) for of in serving)
        return {
            key: round(sum((1 - of["within_slo"][other]) * _mean(of["requests"]) for of in serving) / asked, 6)
            for key, other in (("mean", "mean"), ("p10", "p90"), ("p90", "p10"))
        }
    took = [of["took_mean_s"] for of in ranges["jobs"].values() if of["took_mean_s"] is not None]
    return {key: round(sum(of[key] for of in took) / max(1, len(took)), 6) for key in ("mean", "p10", "p90")}


def frontier_table(rows: Sequence[Plain], has_requests: bool) -> str:
    names = list(rows[0]["values"])
    bad = "late" if has_requests else "took"
    shown = _share if has_requests else _time
    lines = [
        [*(str(row["values"][name]) for name in names), _money(row["cost_micros"]), shown(row["late"]),
         "*" if row["pareto"] else ""]
        for row in rows
    ]  # fmt: skip
    text = table([*names, "cost", bad, "best"], lines, frozenset(range(len(names) + 2)))
    return f"{text}\n\nNothing is both cheaper and better than a variant with *."


def frontier_plot(stack: str, rows: Sequence[Plain], has_requests: bool) -> Plot:
    scale = 100 if has_requests else 1

    def point(row: Plain) -> Point:
        cost, late = row["cost_micros"], row["late"]
        label = ", ".join(f"{value}" for value in row["values"].values())
        return Point(
            cost["mean"] / MICROS, scale * late["mean"], (cost["p10"] / MICROS, cost["p90"] / MICROS),
            (scale * late["p10"], scale * late["p90"]), label,
        )  # fmt: skip

    best = sorted((point(row) for row in rows if row["pareto"]), key=lambda each: each.x)
    others = tuple(point(row) for row in rows if not row["pareto"])
    curves = [
        Curve("nothing beats these", tuple(best)),
        *([Curve("beaten", others, is_joined=False)] if others else []),
    ]
    names = ", ".join(rows[0]["values"])
    return Plot(f"{stack}: {names}", "USD", "% of requests late" if has_requests else "s a run took", tuple(curves))


def _mean(of: Any) -> float:
    return float(of["mean"]) if of else 0.0


def _ranged(of: Any, text: Any) -> str:
    if of is None:
        return ""
    mean, low, high = text(of["mean"]), text(of["p10"]), text(of["p90"])
    return mean if low == high else f"{mean} [{low}-{high}]"


def _money(of: Any) -> str:
    return _ranged(of, lambda micros: money_text(round(micros)))


def _count(of: Any) -> str:
    return _ranged(of, lambda count: f"{count:,.0f}" if count >= 100 else f"{count:.3g}")


def _size(of: Any) -> str:
    return _ranged(of, lambda size_bytes: size_text(round(size_bytes)))


def _share(of: Any) -> str:
    return _ranged(of, lambda share: f"{100 * share:.2f} %")


def _time(of: Any) -> str:
    return _ranged(of, lambda seconds: duration_text(seconds) if seconds >= 60 else f"{seconds:.3g} s")
