"""How does one statement fit SQLite and PostgreSQL? The few places where the two differ, each under a name of ours."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, CursorResult, Integer, String, Text
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import Boolean, TypeEngine

INT64: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits. SQLite's INTEGER has them, and only under that name counts a primary key up."""


STREAMED = 1_000


def words(length: int) -> TypeEngine[str]:
    """A text that is `length` characters long at most by its owner's rules. SQLite never looks; PostgreSQL would
    refuse what SQLite keeps, so it gets no bound either."""
    return String(length).with_variant(Text(), "postgresql")


def tuples(result: CursorResult[Any]) -> Sequence[tuple[Any, ...]]:
    """All rows of a query as the driver gives them: a row of SQLAlchemy takes as long as a hash of it.

    For whole numbers, texts and bytes, which are in both databases what they are here, and for long tables.
    """
    assert result.cursor is not None, "a query has rows, be it none"
    rows: Sequence[tuple[Any, ...]] = result.cursor.fetchall()
    result.close()
    return rows


def streamed(result: CursorResult[Any]) -> Iterator[tuple[Any, ...]]:
    """The same, a few at a time: what is not kept, the collector of garbage does not go over again and again."""
    assert result.cursor is not None, "a query has rows, be it none"
    while rows := result.cursor.fetchmany(STREAMED):
        yield from rows
    result.close()


class JsonList(ColumnElement[str]):
    """Whole numbers and texts of a row as a list in JSON, as Python writes it without spaces: a database makes it in a
    third of the time that it takes to read them one by one."""

    inherit_cache = False
    type = Text()

    def __init__(self, columns: Sequence[ColumnElement[Any]]) -> None:
        self.columns = columns

    @property
    def _from_objects(self) -> Any:
        return [each for column in self.columns for each in column._from_objects]


class Like(ColumnElement[bool]):
    """`column LIKE pattern` with `%` and `_` and no escape. `is_cased` tells capitals from small letters."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], pattern: str, is_cased: bool) -> None:
        self.column, self.pattern, self.is_cased = column, pattern, is_cased

    @property
    def _from_objects(self) -> Any:
        return self.column._from_objects


@compiles(OnConflictDoNothing, "postgresql")
@compiles(OnConflictDoUpdate, "postgresql")
def _on_conflict(clause: Any, compiler: Any, **options: Any) -> str:
    # PostgreSQL's compiler knows SQLite's clause but for this: a conflict may be named by its constraint there.
    clause.constraint_target = None
    text: str = getattr(compiler, f"visit_{clause.__visit_name__}")(clause, **options)
    return text


@compiles(JsonList, "sqlite")
def _list_in_sqlite(made: JsonList, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array({', '.join(compiler.process(each, **options) for each in made.columns)})"


@compiles(JsonList, "postgresql")
def _list_in_postgresql(made: JsonList, compiler: SQLCompiler, **options: Any) -> str:
    # Its own json_build_array puts spaces between.
    told = ", ',', ".join(f"to_json({compiler.process(each, **options)})" for each in made.columns)
    return f"concat('[', {told}, ']')"


@compiles(Like, "sqlite")
def _in_sqlite(like: Like, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's own LIKE ignores case; GLOB does not, and has other signs.
    found = like.column.op("GLOB")(_glob(like.pattern)) if like.is_cased else like.column.ilike(like.pattern)
    return compiler.process(found.self_group(), **options)


@compiles(Like, "postgresql")
def _in_postgresql(like: Like, compiler: SQLCompiler, **options: Any) -> str:
    # An empty escape: else a backslash would be one here, and none in SQLite.
    found = like.column.like if like.is_cased else like.column.ilike
    return compiler.process(found(like.pattern, escape="").self_group(), **options)


def _glob(pattern: str) -> str:
    signs = {"*": "[*]", "?": "[?]", "[": "[[]", "%": "*", "_": "?"}
    return "".join(signs.get(sign, sign) for sign in pattern)


__all__ = ["INT64", "Insert", "JsonList", "Like", "streamed", "tuples", "upsert", "words"]
"""`upsert` is SQLite's INSERT ... ON CONFLICT: PostgreSQL's own comes with a module that takes long to load."""
