"""Can any text at all do more to the parser than be refused? Chance tries, and so do those who mean harm."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from known_kinds import KINDS

from weyr.core.diagnostic import UserError
from weyr.stack.fields import Shape, shape_of
from weyr.stack.parse import PROBLEMS_MAX, parse_stack
from weyr.stack.stack import Stack

PLANS = Path(__file__).parent.parent / "plans"
SEED = (PLANS / "first_up" / "after.yaml").read_text("utf-8")
SECONDS_MAX = 3.0
"""What the worst file may take of a slow CPU; the usual one takes a few milliseconds."""


def outcome(text: str | bytes) -> Stack | UserError:
    """A stack or a refusal; anything else is a bug and ends the test."""
    try:
        return parse_stack(text, "weyr.yaml", KINDS)
    except UserError as e:
        refused = e
    assert 0 < len(refused.diagnostics) <= PROBLEMS_MAX + 1
    assert all(problem.place is not None for problem in refused.diagnostics)
    return refused


@given(st.binary(max_size=300))
def test_any_bytes_give_a_stack_or_a_refusal(data: bytes) -> None:
    """Somebody will hand over a picture."""
    outcome(data)


@given(st.text(max_size=300))
@example("stack: a\nbuckets: {a: &a {lifecycle: *a}}")
@example("<<: {stack: a}")
@example("stack: &a a\nbuckets: {*a : {}}")
def test_any_text_gives_a_stack_or_a_refusal(text: str) -> None:
    """Half surrogates, odd line ends, signs that mean something to YAML."""
    outcome(text)


SIGNS = ["\n", "  ", ": ", "- ", "{", "]", "*", "&a ", "'", "\t"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_file_gives_a_stack_or_a_refusal(data: st.DataObject) -> None:
    """Most broken files are good files with one slip in them."""
    text = SEED
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        put = data.draw(
            st.one_of(st.text(max_size=6), st.sampled_from(["\n", "  ", ": ", "- ", "{", "]", "*", "&a ", "'", "\t"]))
        )
        text = text[:at] + put + text[at + gone :]
    outcome(text)


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["lake", "7d", "1GiB"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


def paths_of(shape: Shape, path: tuple[str, ...] = (), depth: int = 3) -> Iterator[tuple[str, ...]]:
    for name, field in shape.parts().items():
        yield (*path, name)
        if depth:
            yield from paths_of(field, (*path, name), depth - 1)


FIELDS = [(kind.plural, path) for kind in KINDS.values() for path in paths_of(shape_of(kind.spec))]


@given(st.sampled_from(FIELDS), VALUES)
def test_any_value_in_any_field_gives_a_stack_or_a_refusal(field: tuple[str, tuple[str, ...]], value: object) -> None:
    """A validator that raises its own error would end in a traceback."""
    plural, path = field
    for part in reversed(path):
        value = {part: value}
    outcome(f"stack: s\n{plural}: {{x: {flow(value)}}}\n")


def flow(value: object) -> str:
    """A value as one line of YAML."""
    match value:
        case None:
            return "~"
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            return (
                '"' + "".join(f"\\U{ord(letter):08X}" for letter in value if not 0xD800 <= ord(letter) < 0xE000) + '"'
            )
        case _:
            return str(value)


LONG = 60_000
HOSTILE = {
    "blanks in an amount": "1" + " " * LONG + "!",
    "one number after the other": "1s" * (LONG // 2) + "!",
    "zeros": "0" * LONG + "!",
    "nines with a unit": "9" * LONG + "PiB",
    "points": "1." * (LONG // 2),
    "a rule": ">=" + " " * LONG + "x",
    "a word": "a-" * (LONG // 2),
    "references": "a/" * (LONG // 2),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_no_field_is_slow_to_refuse(case: str) -> None:
    """Patterns that fail late take quadratic time: 60,000 blanks once took 18 s."""
    value = f'"{HOSTILE[case]}"'
    for plural, path in FIELDS:
        text = value
        for part in reversed(path):
            text = f"{{{part}: {text}}}"
        started = time.process_time()
        result = outcome(f"stack: s\n{plural}: {{x: {text}}}\n")
        assert time.process_time() - started < SECONDS_MAX, (plural, path)
        assert isinstance(result, Stack) or len(str(result)) < 20_000


LARGE = {
    "ten thousand unknown fields": "jobs: {t: {" + ", ".join(f"resourses{i}: 1" for i in range(10_000)) + "}}",
    "ten thousand unknown sections": "\n".join(f"bukets{i}: 1" for i in range(10_000)),
    "five thousand buckets": "buckets:\n" + "".join(f"  b{i}:\n" for i in range(5_000)),
    "references to nowhere": "jobs: {t: {run: x, reads: [" + ", ".join(f"lake{i}" for i in range(9_000)) + "]}}\n"
    "buckets: {" + ", ".join(f"lake-{i}: {{}}" for i in range(5_000)) + "}",
    "one long list": "jobs: {t: {run: [" + "x, " * 40_000 + "]}}",
    "brackets": "buckets: " + "[" * 500_000,
    "anchors": "buckets: {" + ", ".join(f"b{i}: &a{i} {{}}" for i in range(10_000)) + "}",
    "a long line": "# " + "x" * 900_000,
    "blank lines": "\n" * 900_000,
}


@pytest.mark.parametrize("case", LARGE)
def test_a_large_file_takes_bounded_time(case: str) -> None:
    """The file is read by a server that others use at the same moment."""
    text = f"stack: s\n{LARGE[case]}\n"

    started = time.process_time()
    outcome(text)

    assert time.process_time() - started < 2 * SECONDS_MAX
