"""Each kind's page tells what its spec says, and its example is a stack that plans without a word of warning."""

import re
from pathlib import Path

import pytest
from known_kinds import KINDS

from weyr.core.kind import AnyKind
from weyr.ledger.prices import Catalogue
from weyr.stack.explain import default_text
from weyr.stack.fields import Shape, shape_of
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import World

FOLDERS = {path.parent.name: path.parent for path in Path(__file__).parents[2].glob("src/weyr/kinds/*/*/spec.py")}
BOOKS = Catalogue.shipped().books
TABLE = re.compile(r"(<!-- fields -->\n).*?(<!-- end of fields -->\n)", re.DOTALL)
HEADINGS = ("## When to use it", "## Fields", "## What a change does", "## When things go wrong")


@pytest.mark.parametrize("name", KINDS)
def test_its_table_is_what_its_spec_says(name: str, pytestconfig: pytest.Config) -> None:
    """A field that is documented differently is documented wrongly; `pytest --update-plans` writes the tables anew."""
    page = FOLDERS[name] / "doc.md"
    text = page.read_text("utf-8")
    assert TABLE.search(text), f"{page.name} has no place for its fields"
    generated = TABLE.sub(lambda found: f"{found[1]}{table_of(KINDS[name])}{found[2]}", text)

    if pytestconfig.getoption("--update-plans"):
        page.write_text(generated, "utf-8")

    assert page.read_text("utf-8") == generated


@pytest.mark.parametrize("name", KINDS)
def test_its_page_answers_the_same_questions_as_every_other(name: str) -> None:
    """Whoever knows one page knows where to look in the next."""
    lines = (FOLDERS[name] / "doc.md").read_text("utf-8").splitlines()

    assert lines[0] == f"# {name}"
    assert [line for line in lines if line in HEADINGS] == list(HEADINGS)


@pytest.mark.parametrize("name", KINDS)
def test_its_example_plans_cleanly(name: str) -> None:
    """It is what people copy first: complete, of this kind, and without a warning."""
    file = FOLDERS[name] / "example.yaml"
    stack = parse_stack(file.read_text("utf-8"), file.name, KINDS, price_lists=BOOKS)

    plan = make_plan(stack, World(stack.name), KINDS, BOOKS[stack.price_as])

    assert [step.ref.kind for step in plan.steps].count(name) >= 1
    assert [finding for finding in plan.findings if finding.severity.value != "info"] == []
    assert plan.counts.create == len(stack.objects)


def table_of(kind: AnyKind) -> str:
    """The fields as a table, those of groups below their group."""
    rows = ["| field | write | default | |", "|---|---|---|---|", *_rows(shape_of(kind.spec), "")]
    return "".join(f"{row}\n" for row in rows)


def _rows(shape: Shape, path: str) -> list[str]:
    needed = shape.needed()
    rows: list[str] = []
    for name, field in shape.parts().items():
        # The name of an entry of a list or mapping is the user's own.
        inner = f"{path}{name}"
        default = "needed" if name in needed else _default(field)
        words = ", ".join((field.words(), *field.bounds()))
        rows.append(f"| `{inner}` | {_cell(words)} | {_cell(default)} | {_cell(field.description)} |")
        rows += _rows(field, f"{inner}.")
    return rows


def _default(field: Shape) -> str:
    return default_text(field) if field.has_default else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
