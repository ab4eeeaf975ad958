"""How is one statement run for many rows at little cost? Its text is made once; each run only binds values.

SQLAlchemy prepares every row's values anew, which for a batch of a hundred metrics took longer
than the database did. Used where training tasks log; everywhere else plain statements are clearer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Select


class Prepared:
    """A statement with its values left open.

    Takes `columns`: which columns an INSERT fills; none for a query, whose values are `bindparam`s.
    """

    def __init__(self, statement: Insert | Select[Any], columns: Sequence[str] = ()) -> None:
        self._statement = statement
        self._columns = columns
        self._texts: dict[str, tuple[str, Sequence[str] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """For each of the rows, which have at least the columns; no rows, no statement."""
        if not rows:
            return
        text, order = self._text(connection)
        values = [tuple(row[name] for name in order) for row in rows] if order else [dict(row) for row in rows]
        connection.exec_driver_sql(text, values)

    def first(self, connection: Connection, **values: object) -> Any:
        """The first column of the first row found; None when none is."""
        text, order = self._text(connection)
        row = connection.exec_driver_sql(text, tuple(values[name] for name in order) if order else values).first()
        return row[0] if row is not None else None

    def _text(self, connection: Connection) -> tuple[str, Sequence[str] | None]:
        name = connection.dialect.name
        if name not in self._texts:
            compiled = self._statement.compile(dialect=connection.dialect, column_keys=list(self._columns) or None)
            self._texts[name] = str(compiled), compiled.positiontup
        return self._texts[name]
