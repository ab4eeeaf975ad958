"""How fast is the S3 door beside its peers and beside the limits of this machine, all in one run?

    python bench/s3.py [--rows put-4KiB,list-10k] [--peers moto,ministack] [--peer-python moto=PATH] [--npm-prefix DIR]

A row is a load of one kind: one generator process with signed requests whose digest is the body's, as SDKs send over
http. Ours answers a PUT once it is fsynced; what the peers promise is said below the table. Peers are installed into a
virtual environment for the run, or named with --peer-python; s3rver runs where an npm prefix that has it is given.

Limits: `disk` writes and fsyncs files from as many threads; `bare` answers without parsing, larger ones by sendfile;
`hash` is what all cores can digest (MD5 for the etag and SHA-256 for the signature), which bounds every server alike.
Lists are of keys of one byte, a hundred to a folder: ours are put through the index's own operations before the start,
peers' by PUTs, as many as they take in --fill-seconds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from s3_load import LOADS, MIB, Load, Measured, Place, fill_by_puts, listed, measured, page_in_the_middle
from s3_places import (
    NODE_PEER,
    PEERS,
    bare,
    digest_rate,
    disk_limit,
    hash_limit,
    keeps,
    made,
    node_peer,
    ours,
    peer,
    python_of,
)

from weyr.gateway.s3.start import usual_workers

LISTS = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
OURS = "weyr"
Row = Load | str
Cell = Measured | str


@dataclass
class Table:
    """What was measured: row → server or limit → figure, or why there is none."""

    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, row: str, column: str, cell: Cell) -> None:
        self.cells.setdefault(row, {})[column] = cell


def rows_wanted(text: str) -> tuple[list[Load], list[str]]:
    """The loads and the lists whose names begin with one of the words; all for none."""
    words = tuple(word for word in text.split(",") if word)

    def is_wanted(name: str) -> bool:
        return not words or any(name == word or name.startswith(f"{word}-") for word in words)

    return [load for load in LOADS if is_wanted(load.name)], [size for size in LISTS if is_wanted(f"list-{size}")]


def run_server(
    name: str,
    start: AbstractContextManager[Place],
    loads: list[Load],
    lists: list[str],
    options: argparse.Namespace,
    table: Table,
    step: Callable[[str], None],
) -> None:
    try:
        with start as place:
            for load in loads:
                step(f"{name}: {load.name}")
                if load.method == "GET" and Load("PUT", load.size, load.connections) not in loads:
                    measured(place, Load("PUT", load.size, load.connections), 0)
                with peak_of(place.pid, table, f"{name}: {load.name}", is_kept=load.name == "put-64MiB-32"):
                    table.put(load.name, name, attempt(partial(measured, place, load, options.seconds)))
            for size in lists:
                step(f"{name}: list-{size}")
                run_list(name, place, size, options.fill_seconds, table)
    except RuntimeError as e:
        table.notes.append(f"{name} could not be run: {e}")


def run_list(name: str, place: Place, size: str, fill_s: float, table: Table) -> None:
    count, bucket = LISTS[size], f"list-{size.lower()}"
    if name != OURS:
        made(place, bucket)
        deadline = time.monotonic() + fill_s
        if not fill_by_puts(place, range(count), bucket, lambda: time.monotonic() > deadline):
            for row in (f"list-{size}", f"page-{size}"):
                table.put(row, name, f"takes no {size} keys in {fill_s:.0f} s")
            return
    table.put(f"list-{size}", name, attempt(lambda: listed(place, count, bucket)))
    table.put(f"page-{size}", name, attempt(lambda: page_in_the_middle(place, count, bucket)))


def attempt(measure: Callable[[], Measured]) -> Cell:
    try:
        return measure()
    except (RuntimeError, OSError, EOFError) as e:
        return f"failed: {str(e)[:160]}"


@contextmanager
def peak_of(pid: int, table: Table, what: str, is_kept: bool) -> Iterator[None]:
    """Notes how much memory the server's processes had at most, and before."""
    if not is_kept:
        yield
        return
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    before = sum(memory(pid, "VmRSS") for pid in pids)
    for each in pids:
        Path(f"/proc/{each}/clear_refs").write_text("5")
    yield
    peak = sum(memory(pid, "VmHWM") for pid in pids)
    table.notes.append(
        f"{what}: {before / MIB:,.0f} MiB resident before, at most {peak / MIB:,.0f} MiB during 32 x 64 MiB"
        f" ({len(pids)} {'process' if len(pids) == 1 else 'processes'}, shared pages counted in each)"
    )


def memory(pid: int, name: str) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


def run_limits(loads: list[Load], seconds: float, table: Table, step: Callable[[str], None]) -> None:
    for load in loads:
        step(f"limit: {load.name}")
        if load.method == "PUT":
            with tempfile.TemporaryDirectory(prefix="weyr-bench-") as folder:
                table.put(load.name, "limit", disk_limit(load, seconds, Path(folder)))
            table.put(load.name, "hash", hash_limit(load))
        else:
            with bare(load.bytes) as place:
                table.put(load.name, "limit", attempt(partial(measured, place, load, seconds)))


def shown(row: str, cell: Cell | None) -> str:
    if not isinstance(cell, Measured):
        return cell or "-"
    if "64MiB" in row:
        rate = f"{cell.per_s * 64:,.0f} MiB/s"
    elif row.startswith("page"):
        rate = f"{1000 / cell.per_s:,.1f} ms"
    else:
        rate = f"{cell.per_s:,.0f}/s"
    return f"{rate} [{cell.server_cpu_ms:.2f}]" if cell.server_cpu_ms else rate


def print_table(table: Table, servers: list[str]) -> None:
    columns = [*servers, "limit", "hash"]
    print(f"{'row':<14}" + "".join(f"{name:>24}" for name in columns) + f"{'weyr / best peer':>18}{'limit / weyr':>14}")
    for row, cells in table.cells.items():
        mine = cells.get(OURS)
        others = [cell.per_s for name, cell in cells.items() if name in servers[1:] and isinstance(cell, Measured)]
        limit = cells.get("limit")
        ratio = f"{mine.per_s / max(others):.1f}" if isinstance(mine, Measured) and others else "-"
        to_limit = (
            f"{limit.per_s / mine.per_s:.2f}" if isinstance(mine, Measured) and isinstance(limit, Measured) else "-"
        )
        text = "".join(f"{shown(row, cells.get(name))[:23]:>24}" for name in columns)
        print(f"{row:<14}{text}{ratio:>18}{to_limit:>14}")
    print("\n[..] is CPU of the server's processes in ms for each operation, or for each page of a list.")
    print("A PUT is kept: " + "; ".join(f"{name} {keeps(name)}" for name in servers) + ".")
    for note in table.notes:
        print(note)


def run(options: argparse.Namespace, names: list[str], table: Table) -> None:
    """All servers in turn, each with all its rows, and then the limits."""
    loads, lists = rows_wanted(options.rows)
    given = dict(text.split("=", 1) for text in options.peer_python)
    filled = {f"list-{size.lower()}": LISTS[size] for size in lists}
    bar = Progress(TextColumn("{task.description:<32}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True))
    with bar:
        task = bar.add_task(
            "", total=(len(loads) + len(lists)) * (len(names) + 1 + bool(options.npm_prefix)) + len(loads)
        )

        def step(what: str) -> None:
            bar.update(task, description=what, advance=1)

        run_server(OURS, ours(options.workers, filled), loads, lists, options, table, step)
        for name in names:
            with python_of(name, given) as python:
                run_server(name, peer(name, python), loads, lists, options, table, step)
        if options.npm_prefix:
            run_server(NODE_PEER, node_peer(options.npm_prefix), loads, lists, options, table, step)
        run_limits(loads, options.seconds, table, step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each row runs, and one operation at least")
    parser.add_argument("--peers", default="moto,ministack", help=f"of {', '.join(PEERS)}; empty for none")
    parser.add_argument(
        "--peer-python", action="append", default=[], metavar="PEER=PYTHON", help="has the peer already"
    )
    parser.add_argument("--npm-prefix", type=Path, help="where `npm install s3rver` was run; it needs node")
    parser.add_argument("--rows", default="", help="rows, or beginnings of their names, separated by commas")
    parser.add_argument("--workers", type=int, default=usual_workers(), help="processes of ours that answer")
    parser.add_argument("--fill-seconds", type=float, default=60.0, help="how long a peer may take to be filled")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    names = [name for name in options.peers.split(",") if name]
    table = Table()
    for digest in ("md5", "sha256"):
        table.notes.append(f"One core digests {digest_rate(digest) / MIB:,.0f} MiB/s of {digest.upper()}.")
    try:
        run(options, names, table)
    except KeyboardInterrupt:
        table.notes.append("It was broken off: rows or servers are missing.")
    if options.json:
        cells = {
            row: {name: cell if isinstance(cell, str) else asdict(cell) for name, cell in found.items()}
            for row, found in table.cells.items()
        }
        print(json.dumps({"rows": cells, "notes": table.notes}, indent=1))
        return
    print_table(table, [OURS, *names, *([NODE_PEER] if options.npm_prefix else [])])


if __name__ == "__main__":
    main()
