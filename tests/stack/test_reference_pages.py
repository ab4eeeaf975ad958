"""The reference and the JSON Schema follow from the kinds; starter and examples are valid by all of them."""

import json
from pathlib import Path

import jsonschema
import pytest
from known_kinds import KINDS

from weyr.compose.engines import ENGINES
from weyr.core.diagnostic import UserError
from weyr.ledger.prices import Catalogue
from weyr.stack.explain import explain, explain_text
from weyr.stack.fields import Shape, shape_of
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.schema import stack_schema
from weyr.stack.tree import tree_of
from weyr.stack.world import World

ROOT = Path(__file__).parent.parent.parent
STARTER = ROOT / "src" / "weyr" / "cli" / "starter.yaml"
GOOD = [
    STARTER,
    *sorted((ROOT / "examples").glob("*/weyr.yaml")),
    *sorted((ROOT / "tests" / "plans").glob("*/*.yaml")),
    *sorted((ROOT / "src" / "weyr" / "kinds").glob("*/*/example.yaml")),
]
BOOKS = Catalogue.shipped().books
SCHEMA = stack_schema(KINDS, engines=ENGINES, price_lists=BOOKS)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_is_read_is_valid_by_the_schema(file: Path) -> None:
    """An editor must not underline what Weyr takes."""
    text = file.read_text("utf-8")

    parse_stack(text, file.name, KINDS, price_lists=BOOKS)

    tree, _ = tree_of(text, file.name)
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(tree.plain())) == []


WRONG = {
    "an unknown section": {"stack": "s", "bukets": {}},
    "no name": {"buckets": {}},
    "a bad name": {"stack": "My Stack"},
    "a bad object name": {"stack": "s", "buckets": {"My Lake": {}}},
    "an unknown field": {"stack": "s", "buckets": {"a": {"colour": 1}}},
    "a field missing": {"stack": "s", "jobs": {"a": {}}},
    "nothing where fields are needed": {"stack": "s", "jobs": {"a": None}},
    "a wrong type deep inside": {"stack": "s", "jobs": {"a": {"run": "x", "checkpoint": {"bucket": ["a"]}}}},
    "an engine that does not exist": {"stack": "s", "on": "mars"},
}


@pytest.mark.parametrize("case", WRONG)
def test_an_editor_sees_what_is_wrong(case: str) -> None:
    """Most mistakes are seen before anything is run."""
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(WRONG[case])


def test_the_schema_is_one_and_speaks_to_editors_only() -> None:
    """Valid as a schema, written as JSON, without our own keywords."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    text = json.dumps(SCHEMA)

    assert "x-unit" not in text
    assert "x-refers-to" not in text
    assert SCHEMA["properties"].keys() == {
        "stack",
        "on",
        "price_as",
        "usage",
        *(kind.plural for kind in KINDS.values()),
    }


def paths_of(shape: Shape, path: str) -> list[str]:
    return [path, *(inner for name, field in shape.parts().items() for inner in paths_of(field, f"{path}.{name}"))]


EVERYTHING = [path for kind in KINDS.values() for path in paths_of(shape_of(kind.spec), kind.name)]


@pytest.mark.parametrize("path", ["", "stack", "on", "price_as", "usage", "jobs", *EVERYTHING])
def test_everything_explains_itself(path: str) -> None:
    """Each field says what it is for; a field without a sentence is not finished."""
    lines = explain_text(path, KINDS).splitlines()

    assert len(lines) >= 2
    assert lines[1].strip() != ""
    assert all(line == line.rstrip() for line in lines)


EXPLAINED = {
    "job.checkpoint.every": """\
job.checkpoint.every
How often a new checkpoint is looked for and saved.

  write    a duration such as 30s or 5m
  default  30s
""",
    "buckets.lifecycle[0].expire_after": """\
bucket.lifecycle.expire_after
Age at which an object is deleted.

  write    a duration such as 30s or 5m
  default  none
  allowed  more than 0s
  example  7d
""",
    "budget.then": """\
budget.then
At the limit: block (nothing new begins), floor (fewest replicas), drain, stop; or only alert.

  write    "alert", "block", "floor", "drain" or "stop"
  default  alert
""",
}


@pytest.mark.parametrize("path", EXPLAINED)
def test_a_field_is_explained_in_peoples_words(path: str) -> None:
    """Golden: what `weyr explain` prints."""
    assert explain_text(path, KINDS) == EXPLAINED[path]


UNKNOWN = {
    "jbo": ("Unknown kind", 'There is nothing called "jbo" in a stack file. Did you mean "job"?'),
    "job.chekpoint": ("Unknown field", 'There is no field "chekpoint" in job. Did you mean "checkpoint"?'),
    "job.checkpoint.evry": ("Unknown field", 'There is no field "evry" in job.checkpoint. Did you mean "every"?'),
    "job.run.x": ("Unknown field", 'There is no field "x" in job.run.'),
    "stack.x": ("Unknown kind", 'There is nothing called "stack" in a stack file. Did you mean "stack"?'),
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_field_is_told_with_the_nearest(path: str) -> None:
    """Whoever asks does not know the name yet."""
    with pytest.raises(UserError) as refused:
        explain(path, KINDS)

    assert [(problem.summary, problem.detail) for problem in refused.value.diagnostics] == [UNKNOWN[path]]


def test_the_starter_brings_no_warning() -> None:
    """The first file somebody sees should not begin with a complaint."""
    stack = parse_stack(STARTER.read_text("utf-8"), "weyr.yaml", KINDS, price_lists=BOOKS)

    plan = make_plan(stack, World(stack.name), KINDS, BOOKS[stack.price_as])

    assert plan.findings == ()
    assert plan.counts.create == len(stack.objects)


def test_the_published_schema_is_the_one_that_follows_from_the_kinds(pytestconfig: pytest.Config) -> None:
    """Editors read the file in `docs/reference`; `pytest --update-plans` writes it anew."""
    published = ROOT / "docs" / "reference" / "weyr.schema.json"
    text = json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"

    if pytestconfig.getoption("--update-plans"):
        published.write_text(text, "utf-8")

    assert published.read_text("utf-8") == text
