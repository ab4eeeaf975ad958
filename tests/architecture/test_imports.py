"""Who may import what? What import-linter cannot say: third parties, and imports inside functions.

The layers themselves are contracts in pyproject.toml, checked by `make lint`.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions

from project_tree import ROOT, File, python_files, tree_of

HOMES = {
    "pydantic": ("core/schema.py", "runtime"),
    "yaml": ("stack", "importing", "ledger", "runtime"),
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("cli",),
    "starlette": ("server",),
    "uvicorn": ("server",),
    "sqlalchemy": ("store", "tracking", "ledger", "access", "reconcile", "sim"),
    "alembic": ("store",),
    "anycrc": ("gateway",),
    "httptools": ("wire", "gateway", "runtime"),
    "uvloop": ("wire", "gateway", "runtime", "server"),
    "obstore": ("engines", "gateway", "runtime"),
    "boto3": ("engines",),
    "botocore": ("engines",),
    "cryptography": ("access", "engines", "gateway"),
    "psutil": ("engines", "cli", "server"),
    "ray": ("engines/ray",),
    "prometheus_client": ("server", "gateway"),
    "mlflow": ("runtime",),
    "sklearn": ("runtime",),
    "pandas": ("runtime",),
    "numpy": ("runtime",),
    "grpc": ("gateway/grpc",),
    "subprocess": ("engines", "attempt", "gateway", "runtime", "cli"),
}
"""Where each third party lives in src/weyr: one place to change when it does. Tests are free."""

EXTRAS = {"mlflow", "sklearn", "numpy", "pandas", "skops", "joblib", "cloudpickle", "onnx", "onnxruntime", "tokenizers",
          "grpc", "google"}  # fmt: skip
"""What `weyr[ml]`, `weyr[onnx]` and `weyr[grpc]` bring: loaded on first use; without it everything else works."""

BROUGHT = {"torch", "transformers", "safetensors", "xgboost", "lightgbm"}
"""What comes with the model or the job that wants it: weyr has no part in which version, and loads it on first use."""

RARELY_NEEDED = {"alembic"}
"""Takes longer to import than the rest of a start, and is needed only where a database is older than Weyr."""

PART_OF = {"pydantic_core": "pydantic", "botocore": "boto3", "joblib": "scikit-learn", "scipy": "scikit-learn"}
"""Distributed by itself, but never there without the other, or the other without it."""

LAZY = ("cli", "runtime/function")
"""Nothing heavy is imported before the verb is known, so the verbs import what they need; and what a function's process
imports, every cold start waits for."""


def test_each_third_party_stays_in_its_home() -> None:
    """A library that is everywhere cannot be replaced, and its types become ours."""
    strays = [
        f"{f.path}:{line} imports {top}; its home is {', '.join(HOMES[top])}"
        for f in _shipped()
        for line, top in _imports_of(f)
        if top in HOMES and not f.is_under(*(f"src/weyr/{home}" for home in HOMES[top]))
    ]
    assert not strays, "\n".join(strays)


def test_imports_stand_at_the_top() -> None:
    """An import inside a function hides a cycle; mend the layers. Extras and CLI verbs are loaded late."""
    hidden = {
        f"{f.path}:{line} imports {top}"
        for f in _shipped()
        if not f.is_under(*(f"src/weyr/{folder}" for folder in LAZY))
        for function in ast.walk(tree_of(f))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for line, top in _imports(function)
        if top not in EXTRAS | BROUGHT | RARELY_NEEDED
    }
    assert not hidden, "\n".join(sorted(hidden))


def test_an_extra_is_never_needed_to_import_weyr() -> None:
    """The default install has no extras; a module that imports one at its top breaks it."""
    eager = [
        f"{f.path}:{node.lineno} imports {name}"
        for f in _shipped()
        for node in tree_of(f).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _names(node)
        if name in EXTRAS | BROUGHT
    ]
    assert not eager, "import these inside the function that uses them:\n" + "\n".join(eager)


def test_every_third_party_is_declared() -> None:
    """What works only because something else happens to install it breaks on a user's machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    shipped = _declared(project["dependencies"] + extras["ml"] + extras["ray"] + extras["onnx"] + extras["grpc"])
    undeclared = _undeclared(_shipped(), shipped, BROUGHT)
    undeclared += _undeclared(python_files("src", "tests", "bench"), shipped | _declared(extras["test"]), BROUGHT)
    undeclared += _undeclared(python_files("examples"), shipped | _declared(extras["test"]), BROUGHT)
    assert not undeclared, "add these to pyproject.toml, or do without them:\n" + "\n".join(sorted(set(undeclared)))


def _declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def _undeclared(searched: Iterable[File], declared: set[str], brought: Iterable[str] = ()) -> list[str]:
    """Imports of what none of the declared packages provides; modules of our own tests are beside them."""
    providers = packages_distributions()
    ours = {"weyr", "tests", *(f.name.removesuffix(".py") for f in python_files("tests", "bench", "examples"))}
    return [
        f"{f.path}:{line} imports {top}"
        for f in searched
        for line, top in _imports_of(f)
        if top and top not in ours | sys.stdlib_module_names | PART_OF.keys() | set(brought)
        if not declared.intersection(name.lower().replace("_", "-") for name in providers.get(top, []))
    ]


def _shipped() -> Iterator[File]:
    return (f for f in python_files("src") if not f.name.startswith(("test_", "conftest")))


@cache
def _imports_of(file: File) -> tuple[tuple[int, str], ...]:
    return tuple(_imports(tree_of(file)))


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, name) for name in _names(node))


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The top-level packages that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [] if node.level else [(node.module or "").partition(".")[0]]
