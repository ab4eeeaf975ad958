"""What do plan and loop cost per object, and does an object cost more where there are many?

    .venv/bin/python bench/reconcile.py [--sizes 100 1000 10000] [--profile settle] [--json]

The production parser, planner, loop, ledger and store run over the engine in memory of `weyr.sim`, without
faults, in one process for each size. Counted are CPU time and SQL statements per object: they do not
depend on who else uses the machine. The last column is what an object costs among the most
beside what it costs among a thousand: 1 is flat.
"""

import argparse
import cProfile
import gc
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import event

from weyr.compose.kinds import KINDS
from weyr.core.capability import TaskBody, Wanted
from weyr.core.decision import Phase
from weyr.core.ref import Ref
from weyr.reconcile.apply import apply_plan, planning_world
from weyr.sim.scripts import Script
from weyr.sim.tasks import FOREVER_S
from weyr.sim.world import SimWorld
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.steps import Plan

STACK = "many"
SETTLED = (Phase.READY, Phase.WORKING, Phase.DONE)
MEMORY = "peak memory, KiB"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step took, for each object: CPU milliseconds, and SQL statements sent to the store."""

    step: str
    objects: int
    cpu_ms: float
    statements: float
    calls: float = 0.0
    """Python calls, where they were counted: that takes as long again."""


def stack_text(objects: int) -> str:
    """A stack of so many objects: in each ten a bucket, a secret, a model, an endpoint, and jobs; one budget,
    and one bucket that every job reads."""
    buckets, secrets, jobs, models, endpoints = ["  lake:"], [], [], [], []
    for n in range(objects // 10):
        buckets.append(f"  b{n}:")
        secrets.append(f"  s{n}: {{generate: 16}}")
        models.append(f'  m{n}: {{promote_if: {{accuracy: ">= 0.9"}}}}')
        endpoints.append(f"  e{n}: {{model: m{n}}}")
        first = f"  j{n}-0: {{run: make, reads: [lake], writes: [b{n}], secrets: {{KEY: s{n}}}, produces: m{n}}}"
        # Two fewer for the first ten: the budget and the bucket of all.
        jobs += [first, *(f"  j{n}-{m}: {{run: work, reads: [lake]}}" for m in range(1, 6 if n else 4))]
    sections = {"buckets": buckets, "secrets": secrets, "jobs": jobs, "models": models, "endpoints": endpoints}
    written = [line for name, lines in sections.items() for line in (f"{name}:", *lines)]
    return "\n".join([f"stack: {STACK}", "budgets: {month: {limit: 1000000 USD}}", *written]) + "\n"


def costs_of(objects: int, folder: Path, profiled: str = "", is_counted: bool = False) -> Iterator[Cost]:
    """A stack of so many objects from its text to nothing left, step by step."""
    world = SimWorld(KINDS, folder, scripts=_script)
    meter = _Meter(world, objects, profiled, is_counted)
    text = stack_text(objects)
    plans: list[Plan] = []
    yield meter.cost("parse", lambda: parse_stack(text, "/sim/weyr.yaml", KINDS))
    yield meter.cost("plan", lambda: plans.append(_plan(world, text)))
    assert len(plans[-1].steps) == objects, f"{len(plans[-1].steps)} steps"
    yield meter.cost("apply", lambda: _apply(world, plans[-1]))
    yield meter.cost("settle", lambda: _pass_time(world, 45))
    strays = {ref for ref, phase in world.phases(STACK).items() if phase not in SETTLED}
    assert not strays, (
        f"{len(strays)} did not settle: {[(ref, world.phases(STACK)[ref]) for ref in sorted(strays)[:3]]}"
    )
    yield meter.cost("plan nothing", lambda: plans.append(_plan(world, text)))
    assert not plans[-1].steps, plans[-1].steps[:3]
    yield meter.cost("look at all", lambda: _look(world, list(world.loop.world.objects)))
    for ref in world.loop.world.objects:
        world.loop.world.due.put(ref, world.clock() + 1000)
    _look(world, [next(iter(world.loop.world.objects))])
    yield meter.cost("look at one", lambda: _look(world, [next(iter(world.loop.world.objects))]), of=1)
    yield meter.cost("load", world.crash)
    yield meter.cost("look after load", lambda: _look(world, []))
    plans.append(_removal(world))
    _apply(world, plans[-1])
    yield meter.cost("remove", lambda: _pass_time(world, 60))
    assert world.is_empty(), f"{len(world.loop.world.objects)} objects are left"


def _plan(world: SimWorld, text: str) -> Plan:
    stack = parse_stack(text, "/sim/weyr.yaml", KINDS)
    standing = planning_world(world.loop.world, world.db, stack.name)
    return make_plan(stack, standing, KINDS, world.catalogue.book(stack.price_as))


def _removal(world: SimWorld) -> Plan:
    standing = planning_world(world.loop.world, world.db, STACK)
    return make_plan(None, standing, KINDS, world.catalogue.book("aws/fargate"))


def _apply(world: SimWorld, plan: Plan) -> None:
    apply_plan(world.loop.world, world.db, KINDS, plan, "/sim/weyr.yaml", "/sim", world.clock())


def _pass_time(world: SimWorld, seconds: float) -> None:
    """Lets the loop run for so long, as its keeper would."""
    end = world.clock() + seconds
    while world.clock() < end:
        due = world.loop.tick(world.clock())
        if due is None:
            return
        world.clock.advance(max(due - world.clock(), 0.01))


def _look(world: SimWorld, refs: list[Ref]) -> None:
    """One pass in which these are due."""
    world.loop.world.wake(refs)
    world.loop.tick(world.clock())


def _script(want: Wanted) -> Script:
    """Jobs that make a model end well; everything else goes on for ever."""
    assert isinstance(want.body, TaskBody)
    return Script(work_s=10.0, metrics={"accuracy": 0.97}) if want.body.model else Script(work_s=FOREVER_S)


class _Meter:
    """Reads the process's clock and counts what is sent to the store."""

    def __init__(self, world: SimWorld, objects: int, profiled: str, is_counted: bool) -> None:
        self.objects, self.profiled, self.is_counted = objects, profiled, is_counted
        self.statements = 0
        event.listen(world.db._backend.engine, "before_cursor_execute", self._count)

    def cost(self, step: str, do: Callable[[], object], of: int = 0) -> Cost:
        """Takes: `of`, how many objects it is done for, where not for all."""
        of = of or self.objects
        gc.collect()
        profile = cProfile.Profile() if self.is_counted or step == self.profiled else None
        statements, began = self.statements, time.process_time()
        if profile:
            profile.runcall(do)
        else:
            do()
        took_s = time.process_time() - began
        calls = pstats.Stats(profile).total_calls if profile else 0  # type: ignore[attr-defined]
        if profile and step == self.profiled:
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(35)
        return Cost(step, self.objects, took_s * 1000 / of, (self.statements - statements) / of, calls / of)

    def _count(self, *_: object) -> None:
        self.statements += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--profile", default="", metavar="STEP", help="profile this step, on stderr")
    parser.add_argument("--calls", action="store_true", help="count Python calls too")
    parser.add_argument("--until", default="", metavar="STEP", help="go no further than this step")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        _measure(args.one, args)
        return 0
    found = [cost for size in args.sizes for cost in _in_a_process(size, args)]
    print(json.dumps([asdict(cost) for cost in found], indent=1) if args.json else _table(found, args.sizes))
    return 0


def _measure(objects: int, args: argparse.Namespace) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        for cost in costs_of(objects, Path(folder), args.profile, args.calls):
            print(json.dumps(asdict(cost)), flush=True)
            if cost.step == args.until:
                return
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps(asdict(Cost(MEMORY, objects, grown_kib / objects, 0))))


def _in_a_process(objects: int, args: argparse.Namespace) -> list[Cost]:
    """A process of its own, so that peak memory is this size's."""
    command = [sys.executable, __file__, "--one", str(objects), "--profile", args.profile, "--until", args.until]
    command += ["--calls"] if args.calls else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def _table(costs: list[Cost], sizes: list[int]) -> str:
    by = {(cost.step, cost.objects): cost for cost in costs}
    lines = ["per object        " + "".join(f"{f'{size:,}':>12} ms   SQL" for size in sizes) + "       ratio"]
    for step in dict.fromkeys(cost.step for cost in costs):
        row = [by[step, size] for size in sizes]
        cells = "".join(f"{cost.cpu_ms:15.3f}{cost.statements:6.2f}" for cost in row)
        whole = by.get((step, 1000), row[0])
        lines.append(f"{step:18}{cells}{row[-1].cpu_ms / whole.cpu_ms if whole.cpu_ms else 0:12.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
