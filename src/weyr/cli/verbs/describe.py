"""`weyr describe`: one object's whole story."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from weyr.cli.client import HttpClient
from weyr.cli.completing import refs
from weyr.cli.connect import reader
from weyr.cli.feed import event_of
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.live_table import live_table
from weyr.cli.objects import Row
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import clock, coloured, put, put_json, table
from weyr.cli.select import the_object
from weyr.cli.stages import event_text
from weyr.cli.verbs.why import put_scaling
from weyr.core.units import money_text

EVENTS_SHOWN = 15
_MICROS = re.compile("_micros(_per_hour)?$")
SCALED = frozenset({"endpoint", "service", "function"})
"""Kinds of which there may be more or fewer replicas."""
app = verb_app()


@verb(app, "weyr describe job/train")
def describe(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="Such as job/train or digits:job/train.", autocompletion=refs)
    ],
    stack: Stack = "",
    as_json: AsJson = False,
) -> None:
    """Tell everything about one object."""
    session: Session = ctx.obj
    client = reader(session.home)
    row = the_object(client, ref, stack)
    events = client.call("GET", "/v1/events", stack=row.stack, ref=row.ref, limit=EVENTS_SHOWN).get("events") or []
    if as_json:
        found = client.call("GET", "/v1/objects", stack=row.stack, kind=row.kind, name=row.name)
        put_json({**found["objects"][0], "events": events})
        return
    put(coloured(f"{row.stack}:{row.ref}", "title"))
    _fields(row)
    _part("Conditions", [_condition_line(c) for c in row.conditions])
    _part("Outputs", [output_text(name, value) for name, value in sorted(row.outputs.items())])
    if row.things:
        lines = [[str(t.get("id", "")), str(t.get("capability", "")), _thing_state(t)] for t in row.things]
        _part("Things", table(["id", "capability", "state"], lines).splitlines())
    if row.kind in SCALED:
        put_scaling(client.call("GET", "/v1/why", ref=f"{row.stack}:{row.ref}"))
    if row.kind == "endpoint" and isinstance(client, HttpClient):
        live = client.call("GET", "/v1/endpoints/live", stack=row.stack, name=row.name)
        if live.get("endpoints"):
            _part("Now (rates of the last minute, costs of the last hour)", live_table(live).splitlines())
    if row.kind == "endpoint":
        _compared(row)
    _part("Events", [event_text(event_of(fields)) for fields in events])


def _fields(row: Row) -> None:
    put(f"  phase       {coloured(row.phase.value, row.phase.value)}")
    put(f"  generation  {row.generation}")
    put(f"  cost        {money_text(row.cost_micros)} so far, {money_text(row.rate_micros_per_hour)} per hour now")
    if row.updated_at:
        put(f"  updated     {clock(row.updated_at)}")


def _compared(row: Row) -> None:
    """Versions beside each other, and what came of a shadow's copies; nothing where there is only one version."""
    # Statistics are for endpoints alone: every other description does without loading them.
    from weyr.cli.ab_table import ab_table, counts_of
    from weyr.core.comparison import report

    counts = counts_of(row)
    if findings := report(counts):
        _part(f"Versions beside {findings[0].control} (more: weyr ab {row.ref})", ab_table(findings).splitlines())
    for one in counts:
        if (copies := one.shadow).compared or copies.failed or copies.dropped:
            slower = copies.longer_s / copies.compared if copies.compared else 0.0
            _part(f"Copies to {one.name}", [
                f"{copies.compared} compared, {copies.differed} of them differed ({slower:+.3f} s on average); "
                f"{copies.failed} failed, {copies.dropped} dropped"
            ])  # fmt: skip


def _part(title: str, lines: list[str]) -> None:
    if lines:
        put("\n" + coloured(title, "title"))
        put("\n".join(f"  {line}" for line in lines))


def _condition_line(condition: Mapping[str, Any]) -> str:
    status = {True: "yes", False: "no", None: "unknown"}.get(condition.get("status"), "unknown")
    said = ": ".join(str(part) for part in (condition.get("reason"), condition.get("message")) if part)
    return f"{condition.get('type')!s:<9} {status:<7} {said}".rstrip()


def _thing_state(thing: Mapping[str, Any]) -> str:
    """What is known of a thing: its state, since when, how it ended, and why an engine refused it."""
    words = [str(thing.get("state") or thing.get("seen") or "asked for")]
    for label, field in (("since", "started_at"), ("until", "ended_at")):
        if thing.get(field):
            words.append(f"{label} {clock(float(thing[field]))}")
    if thing.get("free"):
        free, has = thing["free"], thing.get("has") or {}
        words.append("free " + ", ".join(f"{free[name]} of {has.get(name, free[name])}" for name in free))
    if thing.get("used"):
        words.append("uses " + ", ".join(str(text) for text in thing["used"].values()))
    for label, field in (
        ("running", "running"),
        ("waiting", "waiting"),
        ("lacking nodes:", "lacking"),
        ("", "end"),
        ("from checkpoint", "restored"),
        ("saved", "saved"),
        ("", "why"),
        ("", "detail"),
        ("refused:", "refusal"),
    ):
        if thing.get(field):
            words.append(f"{label} {thing[field]}".strip())
    return "  ".join(words)


def output_text(name: str, value: object) -> str:
    """Money and moments as people write them; `--json` has them as they are kept."""
    if (found := _MICROS.search(name)) and isinstance(value, int):
        return f"{name[: found.start()]}{found[1] or ''}: {money_text(value)}"
    if name.endswith("_at") and isinstance(value, float):
        return f"{name}: {clock(value)}"
    return f"{name}: {value}"
