"""Does what the documents say still hold? Links, symbols, paths and commands are looked up one by one."""

import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from project_tree import ROOT, SOURCE, File, files

from weyr.cli.group import root_command
from weyr.cli.program import VERBS, load

DOCUMENTS = [f for f in files() if f.path.endswith(".md")]
COMMANDED = [f for f in DOCUMENTS if f.path in {"README.md", "CONTRIBUTING.md"} or f.is_under("docs", "examples")]
DECISIONS = [f for f in DOCUMENTS if f.is_under("docs/decisions") and f.name[0].isdigit()]
CHANGES = ("Security", "Removed", "Deprecated", "Added", "Changed", "Fixed")


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda f: f.path)
def test_every_relative_link_leads_somewhere(file: File) -> None:
    """A reader who follows a link finds the file, and the heading in it."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(file.text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        led_to = (ROOT / file.path).parent / path if path else ROOT / file.path
        if not led_to.exists() or (
            heading and led_to.is_file() and heading not in _headings(led_to.read_text("utf-8"))
        ):
            dead.append(target)
    assert not dead, f"{file.path} links to what is not there: {dead}"


def test_every_symbol_in_the_documents_exists() -> None:
    """`weyr.core.decision.Want` in backticks is a promise that a search finds it."""
    gone = [
        f"{f.path}: {name}"
        for f in DOCUMENTS
        for name in re.findall(r"`(weyr(?:\.\w+)+)(?:\(\))?`", f.text)
        if name != "weyr.yaml" and not _exists(name)
    ]
    assert not gone, f"these symbols moved or went: {gone}"


def test_every_path_in_the_documents_exists() -> None:
    """A file named in backticks is there, counted from the project's root."""
    gone = [
        f"{f.path}: {path}"
        for f in DOCUMENTS
        for path in re.findall(r"`((?:src|tests|examples|docs|bench|changes|\.ci)/[\w./-]*)`", f.text)
        if not (ROOT / path).exists()
    ]
    assert not gone, f"these paths are not there: {gone}"


@pytest.mark.parametrize("file", COMMANDED, ids=lambda f: f.path)
def test_every_command_in_the_documents_can_be_typed(file: File) -> None:
    """Each verb, option and make target that a document shows is one that there is."""
    problems = [problem for line in _commands(file.text) if (problem := _problem_with(line))]
    assert not problems, f"{file.path}: {problems}"


def test_every_verb_and_kind_is_in_the_readme() -> None:
    """The front page leaves nothing out that a user could type."""
    readme = (ROOT / "README.md").read_text("utf-8")
    kinds = [path.name for path in SOURCE.glob("kinds/*/*/") if (path / "spec.py").is_file()]
    missing = [word for word in kinds if not re.search(rf"\b{word}s?\b", readme)]
    missing += [verb for verbs in VERBS.values() for verb in verbs if f"weyr {verb}" not in readme]
    assert not missing, f"README.md does not mention: {missing}"


@pytest.mark.parametrize("file", DECISIONS, ids=lambda f: f.name)
def test_a_decision_says_what_else_was_weighed(file: File) -> None:
    """Without the alternatives and what would reopen it, a decision is only a habit."""
    missing = [part for part in ("Context", "Choice", "Alternatives", "Revisit") if f"\n## {part}" not in file.text]
    assert not missing, f"{file.path} lacks: {missing}"


def test_decisions_are_numbered_once() -> None:
    """A number names one decision for good."""
    numbers = [f.name[:4] for f in DECISIONS]
    assert sorted(set(numbers)) == sorted(numbers), numbers
    assert all(re.match(r"\d{4}-[a-z0-9-]+\.md$", f.name) for f in DECISIONS)


def test_a_change_note_stands_under_one_of_six_headings() -> None:
    """The changelog is put together from these, so each says what sort of change it is."""
    notes = [f for f in DOCUMENTS if f.is_under("changes") and f.name != "README.md"]
    wrong = [f.path for f in notes if not re.match(rf"# ({'|'.join(CHANGES)})\n\n\S", f.text)]
    assert not wrong, f"begin these with '# Added' (or {', '.join(CHANGES)}) and one sentence: {wrong}"


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def _headings(text: str) -> set[str]:
    """The anchors of a document's headings, as the usual renderers make them."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@cache
def _exists(name: str) -> bool:
    """Whether the longest importable part of a dotted name has the rest as attributes or fields."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


def _commands(text: str) -> Iterator[str]:
    """Lines of sh blocks, and code spans, that begin with weyr or make."""
    for block in re.findall(r"```(?:sh|console|bash)\n(.*?)```", text, flags=re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            command = line.removeprefix("$ ").removeprefix(".venv/bin/").split(" #")[0].strip()
            if command.startswith(("weyr ", "make ")):
                yield command
    yield from re.findall(r"`((?:weyr|make) [^`\n]+)`", _without_blocks(text))


def _without_blocks(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _problem_with(line: str) -> str:
    """What is wrong with a command line; nothing is run."""
    program, *words = shlex.split(line)
    if program == "make":
        targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
        unknown = [word for word in words if word[0].islower() and word not in targets]
        return f"{line}: no target {unknown}" if unknown else ""
    command: Any = root_command(VERBS, load)
    known = set(_options(command))
    for before, word in zip(("", *words), words, strict=False):
        if word.startswith("--"):
            continue
        subcommand = command.get_command(None, word) if hasattr(command, "get_command") else None
        if subcommand is None and getattr(command, "meant", None):
            known |= set(_options(command.get_command(None, command.meant)))
            break
        if subcommand is None:
            is_a_value = before.startswith("--") and getattr(command, "invoke_without_command", False)
            if hasattr(command, "get_command") and not is_a_value:
                return f"{line}: there is no {word!r}"
            break
        command = subcommand
        known |= set(_options(command))
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known | {"--help"}]
    return f"{line}: no option {unknown}" if unknown else ""


def _options(command: Any) -> list[str]:
    return [name for param in command.params for name in (*param.opts, *param.secondary_opts)]
