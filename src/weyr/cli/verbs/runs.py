"""`weyr runs`: the training runs, and one of them drawn."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from weyr.cli.client import Client
from weyr.cli.completing import run_ids
from weyr.cli.connect import reader
from weyr.cli.curve import number_text
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import clock, coloured, put, put_json, say, table
from weyr.cli.summary import run_text
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean

METRICS_SHOWN = 4
app = verb_app()


@verb(app, "weyr runs\nweyr runs 0f6d5a3e")
def runs(
    ctx: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, or how it begins, or its name.", autocompletion=run_ids)
    ] = "",
    stack: Stack = "",
    as_json: AsJson = False,
) -> None:
    """List training runs, or draw one."""
    session: Session = ctx.obj
    client = reader(session.home)
    answer = client.call("GET", "/v1/runs", stack=stack)
    listed = answer.get("runs") or []
    if run:
        _one(client, _chosen(listed, run), as_json)
    elif as_json:
        put_json(answer)
    else:
        put(_listing(listed)) if listed else say("There are no runs yet.")


def _listing(listed: list[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for run in listed for name in sorted(run.get("metrics") or {})))[:METRICS_SHOWN]
    rows = [_cells(run, names) for run in listed]
    headings = ["run", "experiment", "name", "status", "started", *names]
    return table(headings, rows, frozenset(range(5, len(headings))))


def _cells(run: Mapping[str, Any], names: list[str]) -> list[str]:
    words = [str(run.get(field) or "") for field in ("run_id", "experiment", "name", "status")]
    started = clock(float(run["started_at"])) if run.get("started_at") else ""
    return [words[0][:12], *words[1:], started, *[_metric(run, name) for name in names]]


def _one(client: Client, run_id: str, as_json: bool) -> None:
    found = client.call("GET", f"/v1/runs/{run_id}")
    if as_json:
        put_json(found)
        return
    put(coloured(f"run {found.get('name') or run_id}  {found.get('status', '')}", "title"))
    put(f"id {run_id}   experiment {found.get('experiment', '')}")
    params = found.get("params") or {}
    if params:
        put("params  " + "  ".join(f"{name}={value}" for name, value in sorted(params.items())))
    put(run_text(found, columns=60, rows=8))


def _chosen(listed: list[Mapping[str, Any]], text: str) -> str:
    """The id of the run that is meant. Raises: UserError where none or several are."""
    ids = [str(r["run_id"]) for r in listed if text in (r.get("name"), r["run_id"])]
    ids = ids or [str(r["run_id"]) for r in listed if _begins(r, text)]
    if len(ids) == 1:
        return ids[0]
    if ids:
        detail = f"{len(ids)} runs are called {text!r}: {', '.join(i[:12] for i in ids[:5])}."
        raise UserError(Diagnostic("Which run?", detail, suggestion=f"weyr runs {ids[-1][:12]}"))
    names = [str(r.get("name") or "") for r in listed] + [str(r["run_id"]) for r in listed]
    raise UserError(
        Diagnostic("No such run", f"There is no run {text!r}." + did_you_mean(text, names), suggestion="weyr runs")
    )


def _begins(run: Mapping[str, Any], text: str) -> bool:
    return str(run["run_id"]).startswith(text) or str(run.get("name") or "").startswith(text)


def _metric(run: Mapping[str, Any], name: str) -> str:
    value = (run.get("metrics") or {}).get(name)
    return "" if value is None else number_text(float(value))
