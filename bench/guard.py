"""Has any figure slipped? By a half for counts, which are the same each time, by double for CPU seconds.

    .venv/bin/python bench/guard.py [--record] [NAME ...]

Each figure is measured anew and held against `bench/figures.toml`. To add one, write a function that yields
`Figure`s and name it in `MEASURES`; `--record` writes what it gives down. CI runs all of it in half a minute.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import guarded_processes
import plane_calls

HERE = Path(__file__).parent
RECORD = HERE / "figures.toml"
SLIP = 1.5
SLIP_OF_TIMES = 2.0
"""Who else uses the machine changes its caches and clock: with nothing wrong, CPU time went up by three quarters."""
SLACK = 0.02
"""A figure close to nothing may double without that meaning anything."""

GUARDED = ("plan", "apply", "settle", "look at all", "look at one", "remove")


@dataclass(frozen=True, slots=True)
class Figure:
    """`aim` is what we promise, None where only a slip matters. Less is better, for all of them."""

    name: str
    value: float
    unit: str
    aim: float | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="measure these only")
    parser.add_argument("--record", action="store_true", help="write down what is measured now")
    args = parser.parse_args()
    known = tomllib.loads(RECORD.read_text())
    found = [
        figure for name, measure in MEASURES.items() if not args.names or name in args.names for figure in measure()
    ]
    if args.record:
        _write(known, found)
        return 0
    slips = [figure for figure in found if not _holds(figure, known.get(figure.name))]
    for figure in found:
        print(_line(figure, known.get(figure.name)) + ("   <- slipped" if figure in slips else ""))
    if slips:
        print(f"{len(slips)} slipped or miss their aim. Mend them, or record them: bench/guard.py --record")
    return 1 if slips else 0


def loop_costs() -> Iterator[Figure]:
    """Plan and loop over 200 objects: SQL statements and Python calls for each, which are the same each time."""
    for cost in json.loads(_output("reconcile.py", "--sizes", "200", "--calls", "--json")):
        if cost["step"] in GUARDED:
            yield Figure(f"{cost['step']}: SQL statements", cost["statements"], "per object")
            yield Figure(f"{cost['step']}: Python calls", cost["calls"], "per object")


def plan_time() -> Iterator[Figure]:
    """What a plan of 1,000 objects takes, from its text on; the best of three, as others use the machine too."""
    # Milliseconds for each of 1,000 are seconds for all.
    times = [
        cost["cpu_ms"]
        for _ in range(3)
        for cost in json.loads(_output("reconcile.py", "--sizes", "1000", "--until", "plan", "--json"))
        if cost["step"] == "plan"
    ]
    yield Figure("plan of 1,000 objects: CPU", min(times), "s", aim=1.0)


def imports() -> Iterator[Figure]:
    """What `weyr --version` loads: each module is a file to find, read and run."""
    code = "import sys; sys.argv[1:] = ['--version']; from weyr.cli.main import main; main(); print(len(sys.modules))"
    yield Figure("weyr --version: modules", int(_python("-c", code).split()[-1]), "modules")


def _of_processes(measure: Callable[[], Iterator[guarded_processes.Row]]) -> Callable[[], Iterator[Figure]]:
    return lambda: (Figure(*row) for row in measure())


MEASURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "loop": loop_costs,
    "plan": plan_time,
    "imports": imports,
    "plane": _of_processes(plane_calls.measure),
    **{name: _of_processes(measure) for name, measure in guarded_processes.MEASURES.items()},
}
"""Every group of figures. What takes longer than ten seconds belongs into a bench of its own, not here."""


def _output(bench: str, *arguments: str) -> str:
    return _python(str(HERE / bench), *arguments)


def _python(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def _holds(figure: Figure, record: dict[str, Any] | None) -> bool:
    """A figure that is not recorded has nothing to slip from; only its aim counts."""
    slip = SLIP_OF_TIMES if figure.unit in ("s", "ms") else SLIP
    is_slipped = record is not None and figure.value > record["value"] * slip + SLACK
    return not is_slipped and (figure.aim is None or figure.value <= figure.aim * slip)


def _line(figure: Figure, record: dict[str, Any] | None) -> str:
    recorded = f"{record['value']:10.3f} on {record['date']}" if record else "  not recorded"
    aim = f"   aim {figure.aim:g}" if figure.aim is not None else ""
    return f"{figure.name:40}{figure.value:10.3f} {figure.unit:12}{recorded}{aim}"


def _write(known: dict[str, Any], found: list[Figure]) -> None:
    """Figures that were not measured now stay as they are."""
    comment = RECORD.read_text().split("\n\n")[0]
    for figure in found:
        aim = {} if figure.aim is None else {"aim": figure.aim}
        value = round(figure.value, 3)
        known[figure.name] = {"value": value, "unit": figure.unit, **aim, "date": date.today().isoformat()}
    tables = [
        "\n".join([f"[{json.dumps(name)}]", *(f"{key} = {json.dumps(value)}" for key, value in record.items())])
        for name, record in known.items()
    ]
    RECORD.write_text("\n\n".join([comment, *tables]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
