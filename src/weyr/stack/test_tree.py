"""The tree of a YAML text: plain words mean what they say, and nothing in a file can hurt."""

import pytest

from weyr.core.diagnostic import UserError
from weyr.stack.tree import DEPTH_MAX, NODES_MAX, tree_of

WORDS = {
    "on": "on", "off": "off", "yes": "yes", "no": "no", "y": "y",
    "true": True, "False": False, "TRUE": True,
    "~": None, "null": None, "": None,
    "12": 12, "-3": -3, "+4": 4, "010": 10, "0x1F": 31, "0o17": 15,
    "1.5": 1.5, ".5": 0.5, "1e3": 1000.0, "-2.": -2.0,
    "1:30": "1:30", "2026-11-22": "2026-11-22", "1_000": "1_000", "3.10.2": "3.10.2",
    ".inf": ".inf", ".nan": ".nan", "1e999": "1e999", "9" * 31: "9" * 31,
    "'12'": "12", '"true"': "true", "'~'": "~", "7d": "7d", "80%": "80%",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), WORDS.items())
def test_a_plain_word_means_what_yaml_1_2_says(text: str, value: object) -> None:
    """`on: local` must not become {True: 'local'}, nor `1:30` ninety."""
    root, problems = tree_of(f"it: {text}\n", "f")

    assert root.plain() == {"it": value}
    assert type(root.plain()["it"]) is type(value)  # type: ignore[index]  # True == 1 would hide a mistake
    assert problems == []


TREES = {
    "keys are text whatever they look like": ("on: 1\n80: 2\ntrue: 3\n", {"on": 1, "80": 2, "true": 3}),
    "a byte order mark is no part of the text": ("\ufeffa: 1", {"a": 1}),
    "windows line ends": ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    "an alias stands for its anchor": ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
    "an anchor on a word": ("a: &x 5\nc: [*x, *x]\n", {"a": 5, "c": [5, 5]}),
    "a merge gives what is not written": (
        "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 9}\n",
        {"a": {"b": 1, "c": 2}, "d": {"b": 9, "c": 2}},
    ),
    "of several merges the first wins": (
        "a: &a {k: 1}\nb: &b {k: 2, l: 2}\nc: {<<: [*a, *b]}\n",
        {"a": {"k": 1}, "b": {"k": 2, "l": 2}, "c": {"k": 1, "l": 2}},
    ),
    "a quoted merge sign is a key": ('a: {"<<": 1}', {"a": {"<<": 1}}),
    "block text keeps its lines": ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
}  # fmt: skip


@pytest.mark.parametrize("case", TREES)
def test_a_text_becomes_this_tree(case: str) -> None:
    """What people write in other tools' files works here too."""
    text, tree = TREES[case]

    root, problems = tree_of(text, "f")

    assert root.plain() == tree
    assert problems == []


PROBLEMS = {
    "a key written twice": ("a: 1\nb: 2\na: 3\n", "A key is written twice", 3),
    "a key that is a list": ("a: 1\n? [x]\n: 2\n", "A key is not a word", 2),
    "a key that is an alias": ("a: &k b\n*k : 2\n", "A key is not a word", 2),
    "a key that is nothing": ("a: 1\n~: 2\n", "A key is not a word", 2),
    "a tag": ("a: 1\nb: !!python/name:os.system x\n", "A tag is not allowed", 2),
    "a tag without a name": ("a: ! 5", "A tag is not allowed", 1),
    "a tag on a group": ("a: !group {b: 1}\n", "A tag is not allowed", 1),
    "an alias to nothing": ("a: *b\n", "An alias leads nowhere", 1),
    "an alias to what is around it": ("a: &b\n  - *b\n", "An alias leads nowhere", 2),
    "a merge of a word": ("a: 1\n<<: word\n", "A merge key without a mapping", 2),
    "a merge of a list of words": ("<<: [a, b]\n", "A merge key without a mapping", 1),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_problem_leaves_the_rest_readable(case: str) -> None:
    """All problems of a file are told at once, so one of them must not hide the others."""
    text, summary, line = PROBLEMS[case]

    _root, problems = tree_of(text, "f")

    assert [(problem.summary, problem.place and problem.place.line) for problem in problems] == [(summary, line)]


REFUSED: dict[str, tuple[str | bytes, str, int]] = {
    "nothing": ("", "The file is empty", 0),
    "a comment": ("# later\n", "The file is empty", 0),
    "a null": ("~\n", "The file is empty", 0),
    "zero bytes": (b"a: 1\n\x00", "The file is not text", 0),
    "utf-16": ("a: 1".encode("utf-16"), "The file is not UTF-8", 0),
    "latin-1 in line two": ("a: 1\nb: ü".encode("latin-1"), "The file is not UTF-8", 2),
    "half a surrogate": ("a: 1\nb: \ud800", "The file is not UTF-8", 2),
    "a control character": ("a: 1\nb: \x1b[31m\n", "A control character", 2),
    "a byte order mark within": ("a: 1\n\ufeffb: 2", "A control character", 2),
    "a second document": ("a: 1\n---\nb: 2\n", "Several documents", 2),
    "a tab for indentation": ("a:\n\tb: 1\n", "A tab in the indentation", 2),
    "a tab in the line before": ("a:\n  b: 1\n\tc: 2\n", "A tab in the indentation", 3),
    "an open bracket": ("a: [1,\n", "The file is not YAML", 1),
    "an open quote": ("a: 1\nb: 'x\nc: 1\n", "The file is not YAML", 2),
    "two colons": ("a: 1\nb: c: d\n", "The file is not YAML", 2),
    "a rule without quotes": ("a: 1\nb: >= 0.95\n", "The file is not YAML", 2),
    "an unknown directive": ("%nonsense\n---\na: 1\n", "The file is not YAML", 1),
    "a value that begins with @": ("a: @b\n", "The file is not YAML", 1),
    "too deep": ("[" * (DEPTH_MAX + 1), "The file is nested too deep", 1),
    "far too deep": ("{a: " * 10_000, "The file is nested too deep", 1),
    "too many values": ("- 1\n" * (NODES_MAX + 1), "The file is too large", NODES_MAX + 1),
    "a word that is too long": ("a: " + "x" * 70_000, "A value is too long", 1),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_tree_is_refused_at_its_line(case: str) -> None:
    """There is nothing to go on with, so this one problem has to lead to the place."""
    text, summary, line = REFUSED[case]

    with pytest.raises(UserError) as refused:
        tree_of(text, "f")

    problem = refused.value.diagnostics[-1]
    assert (problem.summary, problem.place and problem.place.line) == (summary, line)


def test_an_alias_bomb_costs_nothing() -> None:
    """Nine aliases of nine aliases of nine... are a billion values in 400 bytes."""
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))

    with pytest.raises(UserError, match="once its aliases are followed"):
        tree_of(bomb, "f")


def test_places_count_from_one() -> None:
    """Editors do."""
    root, _ = tree_of("a:\n  b: [1,\n    2]\n", "weyr.yaml")

    assert isinstance(root.value, dict)
    inner = root.value["a"]
    assert isinstance(inner.value, dict)
    items = inner.value["b"].value
    assert isinstance(items, list)
    assert (str(inner.keys["b"]), inner.keys["b"].column, items[1].place.line) == ("weyr.yaml:2", 3, 3)
