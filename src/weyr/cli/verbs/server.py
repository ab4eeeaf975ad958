"""`weyr server`: start it, stop it, and see how it is."""

from typing import Annotated

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.client import HttpClient
from weyr.cli.connect import StartOptions, end
from weyr.cli.connect import start as started
from weyr.cli.connect import stop as stopped
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.place import PROCESSES, running, standbys
from weyr.cli.screen import put, put_json, say, table
from weyr.compose.doors import inference_names, planes_of
from weyr.core.units import duration_text
from weyr.store.home import Home

app = verb_app("Start, stop and inspect the server.")


@verb(app, "weyr server start")
def start(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 for any free port.")
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Be reached by tasks on other machines, at this address of this one. Remembered; 127.0.0.1 ends it.",
        ),
    ] = "",
    inference_processes: Annotated[
        int | None,
        typer.Option(min=1, max=32, metavar="N", help="Processes that serve endpoints, on one port. Remembered."),
    ] = None,
    store: Annotated[
        str,
        typer.Option(
            "--store",
            envvar="WEYR_STORE",
            metavar="URL",
            help="Keep what Weyr knows in PostgreSQL: postgresql://USER@HOST/DATABASE. Remembered.",
        ),
    ] = "",
    is_standby: Annotated[
        bool, typer.Option("--standby", help="Wait beside the server that acts, and take over when it does not.")
    ] = False,
    lease: Annotated[
        float | None,
        typer.Option("--lease", min=1, max=60, metavar="SECONDS", help="After so long in silence another takes over."),
    ] = None,
) -> None:
    """Start the server; it stays until it is stopped. Harmless if it runs."""
    session: Session = ctx.obj
    options = StartOptions(port, store, is_standby, lease, listen, inference_processes)
    if is_standby:
        standby = started(session.home, is_auto=False, options=options)
        say(f"A standby waits (process {standby.pid}).")
        return
    server = running(session.home)
    if server is None:
        server = started(session.home, is_auto=False, options=options)
        say(f"The server is up: {server.url} (process {server.pid}). API reference: {server.url}/docs")
    else:
        say(f"It runs already: {server.url} (process {server.pid}).")


@verb(app, "weyr server renew")
def renew(ctx: typer.Context) -> None:
    """Start the processes that serve endpoints anew, one by one. No request fails by it."""
    session: Session = ctx.obj
    home = Home(session.home)
    planes = planes_of(home, is_serving=False)
    for name in inference_names(home):
        if planes[name].running() is None:
            say(f"{name} does not run.")
            continue
        say(f"{name} is process {planes[name].replace().pid} now.")


@verb(app, "weyr server stop")
def stop(ctx: typer.Context) -> None:
    """Stop the server and its standbys. Tasks and endpoints go on; it takes them up again when it returns."""
    session: Session = ctx.obj
    for standby in standbys(session.home):
        end(standby)  # first: it would take over from the server that stops
        say(f"The standby has stopped (process {standby.pid}).")
    server = running(session.home)
    if server is None:
        say("No server runs.")
        return
    stopped(HttpClient(server, session.home), session.home)
    say("The server has stopped.")


@verb(app, "weyr server status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the server runs, where, and since when. Exits with 1 if it does not run."""
    session: Session = ctx.obj
    server = running(session.home)
    if server is None:
        if as_json:
            put_json({"is_running": False, "home": str(session.home)})
        else:
            say(f"No server runs on {session.home}.")
        raise typer.Exit(FAILED)
    answer = HttpClient(server, session.home).call("GET", "/v1/server")
    if as_json:
        put_json({"is_running": True, **answer})
        return
    put(f"weyr {answer.get('version', '')}  {server.url}  up {duration_text(float(answer.get('uptime_s') or 0))}")
    put(f"data in {session.home}, API reference at {server.url}/docs\n")
    alive = [p for name in PROCESSES if (p := running(session.home, name))] + standbys(session.home)
    put(table(["process", "pid", "url"], [[p.name, str(p.pid), p.url] for p in alive]))
