"""Which files make up the project, and what do they say? Read once per test run."""

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "weyr"
TOP = ("src", "tests", "examples", "docs", "bench", "changes", ".ci")
SKIPPED_PARTS = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
TEXT_SUFFIXES = {
    "",
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".txt",
    ".json",
    ".html",
    ".css",
    ".js",
    ".csv",
    ".mako",
    ".sh",
}


@dataclass(frozen=True, slots=True)
class File:
    """A text file: `path` is relative to the project's root, with forward slashes."""

    path: str
    text: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def is_under(self, *folders: str) -> bool:
        return any(self.path == folder or self.path.startswith(f"{folder}/") for folder in folders)


@cache
def files() -> tuple[File, ...]:
    """Every text file of the project that a commit would hold. Some test data is deliberately not UTF-8."""
    return tuple(
        File(path.relative_to(ROOT).as_posix(), path.read_text("utf-8", errors="replace")) for path in sorted(_paths())
    )


def python_files(*folders: str) -> tuple[File, ...]:
    """The Python files under these folders, all of them if none are named."""
    return tuple(f for f in files() if f.path.endswith(".py") and (not folders or f.is_under(*folders)))


def tree_of(file: File) -> ast.Module:
    return _trees()[file.path]


@cache
def _trees() -> dict[str, ast.Module]:
    """All of them at once. They stay, and are over a million objects: a collector that looks through them while they
    are made takes three times as long as making them."""
    gc.disable()
    try:
        return {file.path: ast.parse(file.text, file.path) for file in python_files()}
    finally:
        gc.freeze()
        gc.enable()


def _paths() -> Iterator[Path]:
    yield from (path for path in ROOT.glob("[!.]*") if path.is_file() and path.suffix in TEXT_SUFFIXES)
    for folder in TOP:
        for path in (ROOT / folder).rglob("*"):
            parts = path.relative_to(ROOT).parts
            is_ours = not SKIPPED_PARTS.intersection(parts) and not any(part.endswith(".egg-info") for part in parts)
            if is_ours and path.suffix in TEXT_SUFFIXES and path.is_file():
                yield path
