"""A stack file that is changed stays the file that somebody wrote."""

import pytest

from weyr.core.diagnostic import UserError
from weyr.stack.editing import Path, Plain, edited

FILE = """\
# What we train.
stack: digits  # the small one

jobs:
  train:   # every night
    run: |
      python train.py \\
        --epochs 30

    resources: {cpu: 4, memory: 16GiB}  # measured in May
    spot: false

  # Kept for comparison.
  old:
    run: "python old.py"
    resources:
      cpu: 2   # as it was
      memory: 1GiB

buckets:
  lake:
    lifecycle:
      # Nobody needs these.
      - {prefix: tmp/, expire_after: 7d}
  empty:
  flow: {lifecycle: [{prefix: a/, expire_after: 1d}]}
"""
TRAIN: Path = ("jobs", "train")
OLD: Path = ("jobs", "old")


def lines_changed(text: str) -> tuple[list[str], list[str]]:
    """What went and what came, in order."""
    before, after = FILE.splitlines(), text.splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("path", "value", "gone", "come"),
    [
        ((*TRAIN, "resources", "cpu"), 1.5,
         "    resources: {cpu: 4, memory: 16GiB}  # measured in May",
         "    resources: {cpu: 1.5, memory: 16GiB}  # measured in May"),
        ((*TRAIN, "spot"), True, "    spot: false", "    spot: true"),
        ((*TRAIN, "resources", "disk"), "1GiB",
         "    resources: {cpu: 4, memory: 16GiB}  # measured in May",
         "    resources: {cpu: 4, memory: 16GiB, disk: 1GiB}  # measured in May"),
        ((*OLD, "resources", "cpu"), 1, "      cpu: 2   # as it was", "      cpu: 1   # as it was"),
        ((*OLD, "resources", "disk"), "1GiB", "", "      disk: 1GiB"),
        ((*OLD, "checkpoint", "bucket"), "lake", "", "    checkpoint: {bucket: lake}"),
        ((*OLD, "resources", "memory"), None, "      memory: 1GiB", ""),
        ((*OLD, "nowhere"), None, "", ""),
        ((*TRAIN, "resources", "memory"), None,
         "    resources: {cpu: 4, memory: 16GiB}  # measured in May", "    resources: {cpu: 4}  # measured in May"),
        ((*TRAIN, "resources", "cpu"), None,
         "    resources: {cpu: 4, memory: 16GiB}  # measured in May",
         "    resources: {memory: 16GiB}  # measured in May"),
        (("buckets", "empty", "versioning"), True, "  empty:", "  empty: {versioning: true}"),
        (("buckets", "lake", "lifecycle"),
         [{"prefix": "tmp/", "expire_after": "7d"}, {"prefix": "checkpoints/x/", "expire_after": "30d"}],
         "", "      - {prefix: checkpoints/x/, expire_after: 30d}"),
        (("buckets", "flow", "lifecycle"),
         [{"prefix": "a/", "expire_after": "1d"}, {"prefix": "b/", "expire_after": "2d"}],
         "  flow: {lifecycle: [{prefix: a/, expire_after: 1d}]}",
         "  flow: {lifecycle: [{prefix: a/, expire_after: 1d}, {prefix: b/, expire_after: 2d}]}"),
        ((*OLD, "calendar"), {"open": ["mon-fri 07:00-20:00"]}, "", "    calendar: {open: ['mon-fri 07:00-20:00']}"),
    ],
)  # fmt: skip
def test_only_the_line_that_is_meant_changes(path: Path, value: Plain, gone: str, come: str) -> None:
    """Comments, blank lines and the style of the neighbours stay."""
    went, came = lines_changed(edited(FILE, "weyr.yaml", [(path, value)]))

    assert went == ([gone] if gone else [])
    assert came == ([come] if come else [])


def test_a_block_becomes_a_line_where_all_of_it_changes() -> None:
    """The name keeps its place."""
    text = edited(FILE, "weyr.yaml", [((*OLD, "resources"), {"cpu": 1})])

    assert "    resources: {cpu: 1}\n" in text
    assert "cpu: 2" not in text
    assert text.endswith(FILE[FILE.index("\nbuckets:") :])


def test_a_field_is_added_behind_a_text_of_many_lines() -> None:
    """The text keeps its last line, and the comment after it its place."""
    text = "jobs:\n  a:\n    run: |\n      x\n      y\n\n# the end\n"

    assert edited(text, "f", [(("jobs", "a", "spot"), True)]) == (
        "jobs:\n  a:\n    run: |\n      x\n      y\n    spot: true\n\n# the end\n"
    )


@pytest.mark.parametrize("text", ["jobs:\n  a: {run: x}", "jobs:\r\n  a:\r\n    run: x\r\n"])
def test_the_end_of_a_line_stays_as_it_is(text: str) -> None:
    """A file from Windows stays one; a last line without an end is no trouble."""
    changed = edited(text, "f", [(("jobs", "a", "spot"), True)])

    assert changed.count("\r\n") == changed.count("\n") * ("\r\n" in text)
    assert "spot: true" in changed


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x: &r {cpu: 4}\njobs:\n  a: {resources: *r}\n", ("jobs", "a", "resources", "cpu")),
        ("jobs:\n  a: {resources: &r {cpu: 4}}\n  b: {resources: *r}\n", ("jobs", "a", "resources", "cpu")),
        ("jobs:\n  a: 3\n", ("jobs", "a", "spot")),
    ],
)
def test_what_several_places_share_is_left_to_a_person(text: str, path: Path) -> None:
    """Nobody who asked for one job to be smaller wants another to be."""
    with pytest.raises(UserError, match="needs a hand"):
        edited(text, "weyr.yaml", [(path, 1)])


def test_a_field_behind_an_alias_lies_in_its_own_object() -> None:
    """An alias has the place of what it stands for: the field came into the object above it."""
    text = "jobs:\n  a:\n    resources: &r {cpu: 4}\n  b:\n    resources: *r  # as a\n  c: {resources: *r}\n"

    changed = edited(text, "f", [(("jobs", name, "spot"), True) for name in ("b", "c")])
    assert changed == text.replace("# as a\n", "# as a\n    spot: true\n").replace("*r}", "*r, spot: true}")
    assert edited(changed, "f", [(("jobs", name, "spot"), None) for name in ("b", "c")]) == text


def test_several_changes_follow_one_another() -> None:
    """A service that gets a scale loses its fixed number in the same go."""
    text = "services:\n  web:\n    run: x\n    replicas: 2  # two\n"
    changed = edited(
        text, "f", [(("services", "web", "scale"), {"min": 0, "max": 2}), (("services", "web", "replicas"), None)]
    )

    assert changed == "services:\n  web:\n    run: x\n    scale: {min: 0, max: 2}\n"
