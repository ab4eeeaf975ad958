"""What may a word on the line go on with? Names of what stands, asked of the server while the user waits.

A shell that completes must be quick and quiet: where nobody answers, nothing is offered.
"""

from pathlib import Path
from typing import Any

import typer

from weyr.cli.client import Answer
from weyr.cli.connect import answering
from weyr.core.diagnostic import WeyrError


def refs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Objects that stand, as kind/name."""
    listed = _asked(ctx, "/v1/objects").get("objects") or []
    found = {f"{fields.get('kind')}/{fields.get('name')}" for fields in listed}
    return sorted(ref for ref in found if ref.startswith(incomplete))


def functions(ctx: typer.Context, incomplete: str) -> list[str]:
    """What can be called."""
    return [ref for ref in refs(ctx, incomplete) if ref.startswith("function/")]


def sessions(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of what can be entered."""
    return [ref.removeprefix("dev/") for ref in refs(ctx, f"dev/{incomplete}")]


def stacks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Stacks that stand."""
    listed = _asked(ctx, "/v1/stacks").get("stacks") or []
    found = {str(fields.get("stack") or fields.get("name")) for fields in listed}
    return sorted(stack for stack in found if stack.startswith(incomplete))


def run_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Training runs, by the beginning of their ids as `weyr runs` prints it."""
    listed = _asked(ctx, "/v1/runs").get("runs") or []
    found = [str(fields.get("run_id"))[:12] for fields in listed]
    return [run for run in found if run.startswith(incomplete)]


def addresses(ctx: typer.Context, incomplete: str) -> list[str]:
    """Buckets of stacks as they are written in an address, and files."""
    listed = _asked(ctx, "/v1/objects").get("objects") or []
    found = {f"{fields.get('name')}:" for fields in listed if fields.get("kind") == "bucket"}
    folder, _, begun = incomplete.rpartition("/")
    above = f"{folder}/" if "/" in incomplete else ""
    try:
        files = {f"{above}{path.name}{'/' if path.is_dir() else ''}" for path in Path(above or ".").iterdir()}
    except OSError:
        files = set()
    shown = {name for name in files if begun or not name.removeprefix(above).startswith(".")}
    return sorted(name for name in found | shown if name.startswith(incomplete))


def _asked(ctx: typer.Context, path: str) -> Answer:
    root: Any = ctx.find_root()
    home = Path(root.params.get("home") or "~/.weyr").expanduser().absolute()
    try:
        server = answering(home)
        return {} if server is None else server.call("GET", path)
    except WeyrError:
        return {}
