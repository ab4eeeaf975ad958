"""How does a parsed comparison become a condition on a column? The only place that writes SQL operators.

Promises: user text reaches the database as bound values only, never as SQL.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, exists, select

from weyr.store.dialects import Like
from weyr.tracking.entities import Tag, View
from weyr.tracking.errors import invalid
from weyr.tracking.filters import Comparison, Literal, check_operator

TEXT_OPERATORS = frozenset({"=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"})
TAG_OPERATORS = frozenset({"=", "!=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"})
NUMBER_OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">="})


def condition(column: ColumnElement[Any], operator: str, value: Literal | tuple[Literal, ...]) -> ColumnElement[bool]:
    """`column operator value`, where LIKE tells case apart and ILIKE does not."""
    match operator:
        case "=":
            return column == value
        case "!=":
            return column != value
        case "<":
            return column < value
        case "<=":
            return column <= value
        case ">":
            return column > value
        case ">=":
            return column >= value
        case "LIKE":
            return Like(column, str(value), is_cased=True)
        case "ILIKE":
            return Like(column, str(value), is_cased=False)
        case "IN":
            return column.in_(_listed(value))
        case "NOT IN":
            return column.not_in(_listed(value))
        case _:
            raise invalid(f"Invalid comparator '{operator}'")


def attribute_condition(
    columns: Mapping[str, ColumnElement[Any]],
    numbers: frozenset[str],
    asked: Comparison,
) -> ColumnElement[bool]:
    """Raises TrackingError when there is no such attribute, or it cannot be compared so."""
    column = columns.get(asked.key)
    if column is None:
        raise invalid(f"Invalid attribute key '{asked.key}' specified. Valid keys are '{sorted(columns)}'")
    if asked.key in numbers:
        check_operator(asked, NUMBER_OPERATORS)
        if not isinstance(asked.value, int | float):
            raise invalid(f"Expected numeric value type for numeric attribute: {asked.key}. Found {asked.value}")
    else:
        check_operator(asked, TEXT_OPERATORS)
        if isinstance(asked.value, int | float):
            raise invalid(f"Expected a quoted string value for attributes. Got value {asked.value}")
    return condition(column, asked.operator, asked.value)


def tag_condition(
    table: Table,
    owner: Sequence[tuple[Column[Any], ColumnElement[Any]]],
    asked: Comparison,
) -> ColumnElement[bool]:
    """Whether the owner has this key in `table` with such a value.

    Takes `owner`: pairs of the table's column and the column of the row it belongs to.
    """
    check_operator(asked, TAG_OPERATORS)
    here = and_(*(column == of for column, of in owner), table.c.key == asked.key)
    if asked.operator == "IS NULL":
        return ~exists(select(1).where(here))
    if asked.operator == "IS NOT NULL":
        return exists(select(1).where(here))
    return exists(select(1).where(here, condition(table.c.value, asked.operator, asked.value)))


def stage_condition(column: Column[Any], view: View) -> ColumnElement[bool] | None:
    """None when the view leaves nothing out."""
    match view:
        case View.ACTIVE_ONLY:
            return column == "active"
        case View.DELETED_ONLY:
            return column == "deleted"
        case View.ALL:
            return None


def last_of_each(tags: Sequence[Tag]) -> tuple[Tag, ...]:
    """A key given twice in one request has its last value, as MLflow has it."""
    return tuple({tag.key: tag for tag in tags}.values())


def _listed(value: Literal | tuple[Literal, ...]) -> tuple[Literal, ...]:
    return value if isinstance(value, tuple) else (value,)
