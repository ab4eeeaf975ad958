"""What runs in a simulated world is what runs in production: the very same classes, none subclassed or patched."""

import ast
from pathlib import Path

import weyr.sim
from weyr.compose.kinds import KINDS
from weyr.ledger.ledger import Ledger
from weyr.reconcile import apply, orphans
from weyr.reconcile.effects import Effects
from weyr.reconcile.loop import Loop
from weyr.reconcile.world import World
from weyr.sim import SimDatabase, SimWorld, world
from weyr.store.database import Database

SIM = [path for path in Path(weyr.sim.__file__).parent.glob("*.py") if not path.name.startswith("test_")]
MADE_UP = {"Database"}
"""What a simulation may put something of its own in place of: where power fails and disks are full."""


def test_the_production_classes_run_in_it(tmp_path: Path) -> None:
    """Not something like the loop, the ledger, the world: those that a server has."""
    simulated = SimWorld(KINDS, tmp_path)
    assert type(simulated.loop) is Loop
    assert type(simulated.loop.ledger) is Ledger
    assert type(simulated.loop.effects) is Effects
    assert type(simulated.loop.world) is World
    assert simulated.loop.kinds is KINDS
    assert vars(world)["apply_plan"] is apply.apply_plan
    assert vars(world)["sweep"] is orphans.sweep
    assert SimDatabase.__mro__[1] is Database
    simulated.db.close()


def test_the_simulation_replaces_nothing_of_the_kernel() -> None:
    """No class of it derives from one of reconcile, ledger, stack, scheduling, store or kinds, save the store's disk;
    and none of it writes into a module or a class of theirs."""
    inherited, written = set(), []
    for path in SIM:
        tree = ast.parse(path.read_text())
        theirs = {name for node in ast.walk(tree) for name in _imported(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                inherited |= {base.id for base in node.bases if isinstance(base, ast.Name) and base.id in theirs}
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                written += [f"{path.name}:{node.lineno}" for target in targets if _root(target) in theirs]
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("setattr", "delattr")
            ):
                written.append(f"{path.name}:{node.lineno}")
    assert inherited == MADE_UP
    assert not written, f"these write into the kernel: {written}"


def _imported(node: ast.AST) -> set[str]:
    """The names that a statement takes from the kernel."""
    kernel = ("weyr.reconcile", "weyr.ledger", "weyr.stack", "weyr.scheduling", "weyr.store", "weyr.kinds")
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(kernel):
        return {alias.asname or alias.name for alias in node.names}
    return set()


def _root(target: ast.expr) -> str:
    """The name on the left of the first dot; empty for a plain name, which only binds it here."""
    while isinstance(target, ast.Attribute):
        target = target.value
        if isinstance(target, ast.Name):
            return target.id
    return ""
