"""Does the code read as we agreed? Each rule names what to write instead."""

import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from project_tree import SOURCE, File, files, python_files, tree_of

PURE = tuple(f"src/weyr/{name}" for name in ("core", "kinds", "stack", "scheduling", "ledger"))
LINES_MAX = 400
FUNCTION_LINES_P95_MAX = 50
WIDTH_MAX = 120
PROSE_WIDTH_MAX = 160

LONGER_THAN_LINES_MAX: dict[str, int] = {}
"""A ratchet: files that were too long when the rule came, and how long. They may only shrink."""


@dataclass(frozen=True)
class Ban:
    """`pattern` must not be in the Python files under `where`, except in the `allowed` ones."""

    pattern: str
    instead: str
    where: tuple[str, ...] = ("src", "tests", "examples")
    allowed: dict[str, str] = field(default_factory=dict)


BANS = {
    "sleeping": Ban(
        r"\btime\.sleep\(",
        "return Decision.again_s, or wait on an Event or a selector with a timeout",
        ("src", "examples"),
        allowed={
            "src/weyr/cli/connect.py": "a terminal waits for a server that is not its child",
            "src/weyr/cli/follow.py": "the screen is redrawn at a pace a person can read",
            "src/weyr/cli/verbs/top.py": "so is this one",
        },
    ),
    "reading the clock where deciding is pure": Ban(
        r"\btime\.(time|monotonic|perf_counter)(_ns)?\(|\bdatetime\.(now|utcnow|today)\(",
        "take `now` as an argument",
        PURE,
    ),
    "reading the environment below compose": Ban(
        r"\bos\.(environ|getenv)\b",
        "take the value as an argument; only cli, compose and what runs inside a task read the environment",
        (*PURE, "src/weyr/store", "src/weyr/reconcile", "src/weyr/server", "src/weyr/gateway", "src/weyr/access"),
    ),
    "chance where deciding is pure": Ban(
        r"\brandom\.|\buuid\.uuid[14]\(|\bsecrets\.token_", "take the value as an argument", PURE
    ),
    "a shell": Ban(r"\bshell=True", "pass argv as a list; a name with a space or a quote is then only a name"),
    "unpickling": Ban(r"\bpickle\.loads?\(", "write JSON; a pickle runs whatever it was told to", ("src",),
        allowed={"src/weyr/gateway/s3/far_index.py": "between processes of one fork, over a socket that has no name"},
    ),
    "a change to the S3 index that cannot travel": Ban(
        r"index\.write\(\s*lambda",
        "functools.partial of a module's function: one process writes the index, others send it their operations",
        ("src", "tests"),
    ),
    "patching": Ban(
        r"unittest\.mock|\bMagicMock\b|\bmock\.patch\b|monkeypatch\.setattr",
        "use weyr.sim or a real process on the loopback; a patched path tests the patch",
    ),
    "skipping a test": Ban(
        r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b", "make the test run everywhere, or remove it"
    ),
    "listening everywhere": Ban(r"[\"']0\.0\.0\.0[\"']", "listen on 127.0.0.1: safe by default is the fifth promise"),
    "a type ignore without its code": Ban(
        r"#\s*type:\s*ignore(?!\[)", "name the code: `# type: ignore[arg-type]`, and say why"
    ),
    "a bare TODO": Ban(r"\b(TODO|FIXME|XXX)\b(?!\(issue \d+\))", "do it, or file an issue and write TODO(issue N)"),
}  # fmt: skip
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "data", "info"}
THIS_FILE = "tests/architecture/test_tidy.py"
"""Not searched for what it bans: it has to spell it."""


@pytest.mark.parametrize("name", BANS)
def test_what_is_banned_is_not_there(name: str) -> None:
    """Each of these has cost somebody a night before; the message says what to write instead."""
    ban = BANS[name]
    searched = [f for f in python_files(*ban.where) if f.path not in {THIS_FILE, *ban.allowed}]
    hits = [f"{f.path}:{n}: {line.strip()}" for f in searched for n, line in _matching(f, ban.pattern)]
    assert not hits, f"{name} is banned: {ban.instead}\n" + "\n".join(hits)


def test_an_allowed_exception_is_still_needed() -> None:
    """An allow list that outlives its reason allows the next mistake."""
    by_path = {f.path: f for f in files()}
    unused = [
        f"{name}: {path}"
        for name, ban in BANS.items()
        for path in ban.allowed
        if path not in by_path or not list(_matching(by_path[path], ban.pattern))
    ]
    assert not unused, f"take these off their allow lists: {unused}"


def test_a_test_sleeps_only_between_two_looks() -> None:
    """A fixed wait is too long on a fast machine and too short on a slow one; look, sleep a little, look again."""
    blind = [
        f"{f.path}:{line}"
        for f in python_files("src", "tests")
        if f.name.startswith(("test_", "conftest")) or f.is_under("tests")
        for line in sorted(_sleeps(tree_of(f)) - _sleeps_in_loops(tree_of(f)))
    ]
    assert not blind, f"poll with a bound instead of sleeping: {blind}"


def test_every_module_is_named_for_what_it_holds() -> None:
    """A file called utils is where things go to be lost."""
    parts = {f.path: {*f.path.removesuffix(".py").split("/")[1:]} for f in python_files()}
    vague = [path for path, names in parts.items() if names & VAGUE_NAMES]
    assert not vague, f"name these for the one idea in them: {vague}"


def test_files_stay_short_enough_to_hold_in_the_head() -> None:
    """Past 400 lines a reader has scrolled away from what mattered; sub-steps become files."""
    lengths = {f.path: len(f.lines) for f in python_files()}
    too_long = {p: n for p, n in lengths.items() if n > LONGER_THAN_LINES_MAX.get(p, LINES_MAX)}
    assert not too_long, f"split these by idea (cap {LINES_MAX}, ratchets may only shrink): {too_long}"
    done = [p for p in LONGER_THAN_LINES_MAX if lengths.get(p, 0) <= LINES_MAX]
    assert not done, f"short now; take them off the ratchet: {done}"


def test_functions_stay_short() -> None:
    """95 of 100 functions fit on a screen."""
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for f in python_files("src")
        for node in ast.walk(tree_of(f))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert statistics.quantiles(lengths, n=20)[-1] < FUNCTION_LINES_P95_MAX


def test_lines_fit_on_a_screen() -> None:
    """Code to 120 columns, prose to 160; tables and links may run on."""
    wide = [
        f"{f.path}:{n}"
        for f in files()
        if f.path.endswith((".py", ".md", ".toml")) or f.is_under(".ci")
        for n, line in enumerate(f.lines, 1)
        if len(line) > (PROSE_WIDTH_MAX if f.path.endswith(".md") else WIDTH_MAX)
        and not re.match(r"\s*\||.*https?://", line)
    ]
    assert not wide, f"break these lines: {wide}"


def test_a_broad_catch_says_why() -> None:
    """`except Exception` belongs at a loop's edge only, with the reason beside it; to re-raise is free."""
    silent = [
        f"{f.path}:{node.lineno}"
        for f in python_files("src", "tests", "examples")
        for node in ast.walk(tree_of(f))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _has_reason(f.lines, node.lineno - 1)
    ]
    assert not silent, f"catch the narrowest class, or say in a comment why all of them: {silent}"


def test_nothing_tracked_knows_the_machine_it_was_written_on() -> None:
    """A path of one machine or a registry's address works for its author only."""
    pattern = r"(?<![\w./$}-])/(work|root|farm|opt|tmp)/|pypi\.org|pythonhosted|registry\.npmjs|[a-z]/simple\b"
    hits = [
        f"{f.path}:{n}: {line.strip()[:100]}"
        for f in files()
        if f.path != THIS_FILE
        for n, line in _matching(f, pattern)
    ]
    assert not hits, "use a path relative to the project, tmp_path or $WEYR_HOME:\n" + "\n".join(hits)


def test_every_kind_folder_is_complete() -> None:
    """Help, docs and checks of a kind follow from its folder, so a kind lacks none of these files."""
    missing = [
        str((folder / name).relative_to(SOURCE))
        for folder in sorted(SOURCE.glob("kinds/*/*/"))
        if folder.is_dir() and folder.name != "__pycache__"
        for name in ("__init__.py", "spec.py", "decide.py", "doc.md", "example.yaml", f"test_{folder.name}.py")
        if not (folder / name).is_file()
    ]
    assert not missing, f"each kind needs: {missing}"


def _matching(file: File, pattern: str) -> Iterator[tuple[int, str]]:
    regex = re.compile(pattern)
    return ((n, line) for n, line in enumerate(file.lines, 1) if regex.search(line))


def _sleeps(tree: ast.AST) -> set[int]:
    """The lines that sleep; `sleep(0)` only lets others run."""
    return {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep")
        if ast.unparse(node.args[0]) != "0"
    }


def _sleeps_in_loops(tree: ast.AST) -> set[int]:
    loops = (node for node in ast.walk(tree) if isinstance(node, ast.While | ast.For | ast.AsyncFor))
    return set().union(*(_sleeps(loop) for loop in loops))


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything and does not raise it again."""
    caught = [] if handler.type is None else [n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)]
    raises = any(isinstance(node, ast.Raise) for statement in handler.body for node in ast.walk(statement))
    return bool(not caught or {"Exception", "BaseException"}.intersection(caught)) and not raises


def _has_reason(lines: list[str], index: int) -> bool:
    """Whether a comment stands on the line, above it or below it; `noqa` alone is no reason."""
    around = lines[max(0, index - 1) : index + 2]
    comments = [line.split("#", 1)[1] for line in around if "#" in line]
    return any(re.sub(r"noqa(: *[A-Z0-9, ]+)?|[#\s-]", "", comment) for comment in comments)
