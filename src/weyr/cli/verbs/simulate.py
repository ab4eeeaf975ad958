"""`weyr simulate`: a stack's week before it happens, in virtual time, through the code that runs in production."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from weyr.charts.chart import Plot
from weyr.charts.image import format_of, image, save
from weyr.cli.bar import shared
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, seconds
from weyr.cli.rehearsing import frontier, frontier_plot, frontier_table, told
from weyr.cli.screen import put, say
from weyr.cli.stackfile import StackFile, read_stack_file, read_usage_file
from weyr.compose.engines import ENGINES
from weyr.compose.kinds import KINDS
from weyr.compose.room import machine_room
from weyr.compose.stores import store_of
from weyr.core.checking import ROUTED
from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.core.engine import LOCAL
from weyr.core.units import DAY_S
from weyr.ledger.prices import Catalogue
from weyr.reconcile.scheduler import Room
from weyr.sim.rehearsal.arrivals import Arrivals, names_of, read_trace
from weyr.sim.rehearsal.outcome import ranges_of
from weyr.sim.rehearsal.past import Past, past_of
from weyr.sim.rehearsal.rates import SHAPES, arrivals_at, is_rate, read_rates
from weyr.sim.rehearsal.rehearse import ArrivalsOf, rehearsed
from weyr.sim.rehearsal.setting import BEGAN_AT, NOTICE_S, STOPS_S, WAY_S, Setting, Starts, Startup
from weyr.sim.rehearsal.spot import read_spot_trace
from weyr.sim.rehearsal.triggers import TOLD_WITHIN_S
from weyr.stack.parse import parse_stack
from weyr.stack.stack import Stack
from weyr.stack.usage import parse_usage
from weyr.stack.vary import read_vary, variants
from weyr.store.database import Database

PAST = "past"
app = verb_app()

Duration = typer.Option(parser=seconds, metavar="DURATION", rich_help_panel="What happens")


def _shapes(incomplete: str) -> list[str]:
    return [shape for shape in SHAPES if shape.startswith(incomplete)]


@verb(app, "weyr simulate examples/digits --arrivals examples/digits/morning.csv --for 2h")
def simulate(
    ctx: typer.Context,
    path: Annotated[Path | None, typer.Argument(metavar="FOLDER|FILE", help="Default: weyr.yaml here.")] = None,
    arrivals: Annotated[
        str,
        typer.Option(
            "--arrivals",
            metavar="FILE|RATES|past",
            rich_help_panel="What happens",
            help="Who comes: a CSV; rates such as 'job/train=40/d*20m, endpoint/digits=5/s*80ms'; or what came lately.",
        ),
    ] = "",
    length: Annotated[
        float,
        typer.Option(
            "--for",
            parser=seconds,
            metavar="DURATION",
            help="For how long.",
            show_default="7d",
            rich_help_panel="What happens",
        ),
    ] = 7.0 * DAY_S,
    shape: Annotated[
        str,
        typer.Option(
            "--shape",
            metavar="office|flat",
            help="How rates go over a day.",
            autocompletion=_shapes,
            rich_help_panel="What happens",
        ),
    ] = "office",
    spot_trace: Annotated[
        Path | None,
        typer.Option(
            "--spot-trace", metavar="FILE", help="When there is spot capacity, as JSON.", rich_help_panel="What happens"
        ),
    ] = None,
    notice: Annotated[
        float,
        typer.Option(
            "--notice",
            parser=seconds,
            metavar="DURATION",
            help="How long before it goes spot is told to.",
            show_default="2m",
            rich_help_panel="What happens",
        ),
    ] = NOTICE_S,
    failures: Annotated[
        float | None,
        typer.Option(
            "--failures",
            parser=seconds,
            metavar="DURATION",
            help="Mean time until a task or node is lost.",
            rich_help_panel="What happens",
        ),
    ] = None,
    task_start: Annotated[
        float | None,
        typer.Option(
            "--task-start",
            parser=seconds,
            metavar="DURATION",
            help="Until a task's program begins.",
            rich_help_panel="Starts",
        ),
    ] = None,
    ready: Annotated[
        float | None,
        typer.Option(
            "--ready",
            parser=seconds,
            metavar="DURATION",
            help="From there until a replica answers.",
            rich_help_panel="Starts",
        ),
    ] = None,
    node_start: Annotated[
        float | None,
        typer.Option(
            "--node-start",
            parser=seconds,
            metavar="DURATION",
            help="Until a pool's node is ready.",
            rich_help_panel="Starts",
        ),
    ] = None,
    startup: Annotated[
        float | None,
        typer.Option(
            "--startup",
            parser=seconds,
            metavar="DURATION",
            help="What a job's program needs in each attempt before it goes on from its checkpoint.",
            rich_help_panel="Starts",
        ),
    ] = None,
    usage: Annotated[
        Path | None,
        typer.Option(
            "--usage",
            metavar="FILE",
            help="A usage file as plans have it: a job's start-up is taken from it.",
            rich_help_panel="Starts",
        ),
    ] = None,
    stop: Annotated[
        float,
        typer.Option(
            "--stop",
            parser=seconds,
            metavar="DURATION",
            help="What a program takes to end when it is told to.",
            show_default="100ms",
            rich_help_panel="Starts",
        ),
    ] = STOPS_S,
    way: Annotated[
        float,
        typer.Option(
            "--way",
            parser=seconds,
            metavar="DURATION",
            help="What the way to a replica and back adds to an answer.",
            show_default="1ms",
            rich_help_panel="Starts",
        ),
    ] = WAY_S,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The first seed.", rich_help_panel="Seeds")] = 1,
    seeds: Annotated[
        int,
        typer.Option("--seeds", metavar="N", min=1, max=1000, help="How many, for ranges.", rich_help_panel="Seeds"),
    ] = 1,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="FIELD=VALUES",
            help="What if: scale.max=2..8; up to two fields.",
            rich_help_panel="What if",
        ),
    ] = None,
    chart: Annotated[
        Path | None,
        typer.Option("--chart", metavar="FILE", help="Draw the frontier as .png or .svg.", rich_help_panel="What if"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rehearse a stack in virtual time: what it costs, how well it serves, what is interrupted.

    Its real kinds, scheduling and ledger run over a simulated engine; nothing is started. The same seed gives the same.
    """
    session: Session = ctx.obj
    file = read_stack_file(path)
    stack = _parsed(file, file.text)
    _check(length, shape, chart, vary)
    past = _past(stack, session.home, length, is_needed=arrivals == PAST)
    came = _arrivals(stack, arrivals, past, length, shape)
    jobs = [(ref, each.spec) for ref, each in sorted(stack.objects.items()) if ref.kind == "job"]
    saving = [str(ref) for ref, spec in jobs if getattr(spec, "checkpoint", None)]
    again = _said(stack, usage, past.startup) if startup is None else dict.fromkeys(saving, Startup(startup))
    spot = read_spot_trace(_text(spot_trace, "spot trace"), str(spot_trace)) if spot_trace else None
    starts = _starts(past, task_start, ready, node_start, again)
    setting = Setting(
        length, seed, BEGAN_AT, _room(stack), starts, spot, notice, failures, stop, way, past.takes_s, past.spread
    )
    numbers = range(seed, seed + seeds)
    if not arrivals and (asked := [ref for ref in sorted(stack.objects) if ref.kind in ROUTED]):
        say(f"Nobody asks anything of {asked[0]}. Say how often: --arrivals '{asked[0]}=5/s*80ms'")
    if vary:
        _frontier(file, read_vary(vary), came, setting, numbers, chart, as_json)
        return
    with shared("Rehearsing") as shown:
        outcomes = rehearsed(KINDS, stack, came, setting, numbers, shown)
    ranges = ranges_of(outcomes)
    if as_json:
        _put_json(
            {
                "stack": stack.name,
                "for_s": length,
                "assumed": _assumed(setting, past),
                "ranges": ranges,
                "runs": outcomes,
            }
        )
    else:
        put(told(ranges, length, seeds, _startup(again), saving))
        for name in past.silent if arrivals == PAST else ():
            say(f"Nothing is known of what {name} was asked lately: nobody asks it here.")


def _frontier(
    file: StackFile, varied: Any, came: ArrivalsOf, setting: Setting, numbers: range, chart: Path | None, as_json: bool
) -> None:
    found, made = [], list(variants(file.text, varied, KINDS))
    with shared("Rehearsing") as shown:
        for number, variant in enumerate(made):
            stack = _parsed(file, variant.text)

            def progress(share: float, number: int = number) -> None:
                shown((number + share) / len(made))

            outcomes = rehearsed(KINDS, stack, came, setting, numbers, progress)
            found.append((variant.values, ranges_of(outcomes)))
    rows = frontier(found)
    has_requests = bool(found[0][1]["serving"])
    if chart:
        save([frontier_plot(file.stack, rows, has_requests)], chart)
        say(f"Drawn in {chart}.")
    if as_json:
        _put_json({"stack": file.stack, "for_s": setting.length_s, "frontier": rows})
    else:
        put(frontier_table(rows, has_requests))


def _put_json(value: object) -> None:
    put(json.dumps(value, indent=2, sort_keys=True))


def _check(length: float, shape: str, chart: Path | None, vary: list[str] | None) -> None:
    if not length:
        raise UserError(Diagnostic("No time at all", "A rehearsal takes longer than 0s.", suggestion="--for 7d"))
    if shape not in SHAPES:
        raise UserError(Diagnostic("A shape that is not known", f'"{shape}" is none of {", ".join(SHAPES)}.'))
    if chart is not None and not vary:
        detail = "A frontier is drawn between variants, and nothing is varied."
        raise UserError(Diagnostic("Nothing to draw", detail, suggestion="--vary scale.max=2..8"))
    if chart is not None:
        # Drawn once for nothing: what is missing is told before an hour of rehearsals, and not after it.
        image([Plot("", "", "", ())], format_of(chart))


def _parsed(file: StackFile, text: str) -> Stack:
    return parse_stack(text, str(file.path), KINDS, engines=ENGINES, price_lists=Catalogue.shipped().books)


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        why = getattr(e, "strerror", None) or "it is not text"
        raise UserError(Diagnostic(f"The {what} cannot be read", f"{why}.", place=Place(str(path)))) from e


def _past(stack: Stack, home: Path, length_s: float, is_needed: bool) -> Past:
    """What was measured of the stack in the data folder; nothing where there is none. Raises: UserError."""
    place = store_of(home)
    if isinstance(place, Path) and not place.exists():
        if is_needed:
            detail = f"{home} has no store, so nothing is known of what came lately."
            raise UserError(Diagnostic("There is no past", detail, suggestion="weyr up"))
        return Past()
    db = Database(place)
    try:
        return past_of(stack, db, time.time(), length_s)
    finally:
        db.close()


def _arrivals(stack: Stack, given: str, past: Past, length_s: float, shape: str) -> ArrivalsOf:
    if given == PAST:
        return lambda _seed: past.arrivals
    if not given:
        return lambda _seed: Arrivals()
    known = list(names_of([str(ref) for ref in stack.objects]))
    said = {str(ref): getattr(each.spec, "expected_duration", None) for ref, each in stack.objects.items()}
    # What was measured counts for more than what somebody once wrote.
    expected = {name: float(takes_s) for name, takes_s in said.items() if takes_s} | dict(past.takes_s)
    if is_rate(given):
        rates = read_rates(given, known, expected)
        return lambda seed: arrivals_at(rates, length_s, shape, seed, BEGAN_AT % DAY_S)
    found = read_trace(_text(Path(given), "trace of arrivals"), given, known, expected)
    return lambda _seed: found


def _room(stack: Stack) -> Room:
    """This machine's, where the stack runs here; elsewhere as much as is asked for."""
    return machine_room() if stack.on.engine == LOCAL else Setting().room


def _said(stack: Stack, usage: Path | None, measured: Mapping[str, Startup]) -> Mapping[str, Startup]:
    """What attempts need to start up: what a usage file says, else what the stack file's own does, else what was
    measured. Raises: UserError."""
    told = dict(stack.usage)
    if usage is not None:
        file, specs = read_usage_file(usage), {ref: each.spec for ref, each in stack.objects.items()}
        for ref, figures in parse_usage(file.text, str(file.path), stack.name, specs, KINDS).items():
            told[ref] = {**told.get(ref, {}), **figures}
    said = {str(ref): figures["startup"] for ref, figures in told.items() if "startup" in figures}
    return {**measured, **{job: Startup((figure.low + figure.high) / 2) for job, figure in said.items()}}


def _starts(
    past: Past, task_s: float | None, ready_s: float | None, node_s: float | None, startup_of: Mapping[str, Startup]
) -> Starts:
    usual = Starts()
    return Starts(
        next(each for each in (task_s, past.task_s, usual.task_s) if each is not None),
        usual.ready_s if ready_s is None else ready_s,
        usual.node_s if node_s is None else node_s,
        {} if ready_s is not None else past.ready_s,
        startup_of,
    )


def _startup(of: Mapping[str, Startup]) -> dict[str, Any]:
    return {job: {"takes_s": each.takes_s, "attempts": each.attempts} for job, each in of.items()}


def _assumed(setting: Setting, past: Past) -> dict[str, Any]:
    starts, room = setting.starts, setting.room
    return {
        "task_start_s": starts.task_s, "ready_s": starts.ready_s, "node_start_s": starts.node_s,
        "ready_measured_s": {name: round(sum(seen) / len(seen), 3) for name, seen in starts.ready_of.items()},
        "event_within_s": TOLD_WITHIN_S,
        "startup": _startup(starts.startup_of), "mtbf_s": setting.mtbf_s, "notice_s": setting.notice_s,
        "stop_s": setting.stops_s, "way_s": setting.way_s,
        "room_cpu": room.cpu, "room_memory_bytes": room.memory_bytes, "silent": list(past.silent),
        "takes_measured_s": dict(past.takes_s),
        "moved_measured": {
            f"{bucket}:{verb}": {
                "count": round(sum(each.count for each in moves), 3),
                "bytes": round(sum(each.count * each.size_bytes for each in moves)),
            }
            for bucket, verbs in past.arrivals.moves.items() for verb, moves in verbs.items()
        },
        "takes_spread": {
            name: {f"p{share}": round(spread.at(share / 100), 4) for share in (50, 90, 99)}
            for name, spread in past.spread.items()
        },
    }  # fmt: skip
