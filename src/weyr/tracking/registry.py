"""Which models are registered, and what are they called? Names, tags and aliases; versions are in `versions`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, delete, insert, select, update

from weyr.store.database import Database
from weyr.store.dialects import upsert
from weyr.store.tables.tracking import model_aliases, model_versions, registered_model_tags, registered_models
from weyr.tracking import names
from weyr.tracking.comparing import attribute_condition, last_of_each, tag_condition
from weyr.tracking.entities import Page, RegisteredModel, Tag
from weyr.tracking.errors import ErrorCode, TrackingError, invalid, missing
from weyr.tracking.filters import Comparison, Entity, parse_filter, parse_order
from weyr.tracking.gathering import grouped
from weyr.tracking.paging import offset_of, page_of
from weyr.tracking.prompts import prompt_condition, without_prompt_clause
from weyr.tracking.versions import latest_of_stages, whole_versions
from weyr.tracking.writer import Writer

RESULTS_MAX = 1000

_COLUMNS: Mapping[str, Column[Any]] = {"name": registered_models.c.name}
_ORDERS: Mapping[str, Column[Any]] = {
    "name": registered_models.c.name,
    "timestamp": registered_models.c.updated_ms,
    "last_updated_timestamp": registered_models.c.updated_ms,
    "creation_timestamp": registered_models.c.created_ms,
}


class Registry:
    """The registered models of one store."""

    def __init__(self, db: Database, writer: Writer, now_ms: Callable[[], int]) -> None:
        self._db = db
        self._writer = writer
        self._now_ms = now_ms

    def create(self, name: str, description: str, tags: Sequence[Tag]) -> RegisteredModel:
        """Raises TrackingError: RESOURCE_ALREADY_EXISTS."""
        names.check_model_name(name)
        _check_tags(tags)

        def work(connection: Connection) -> RegisteredModel:
            _check_free(connection, name)
            self._insert(connection, name, description, "")
            _put_tags(connection, name, tags)
            return require_model(connection, name)

        return self._writer.run(work)

    def ensure(self, name: str, owner: str, generation: int, aliases: Sequence[tuple[str, int]]) -> None:
        """The owner's model is there, with these aliases. Idempotent; one that a client made is adopted.

        Raises TrackingError, with nothing changed: RESOURCE_ALREADY_EXISTS when it has another owner, or the
        owner another model; INVALID_STATE when a newer generation came before; RESOURCE_DOES_NOT_EXIST when
        there is no such version.
        """
        names.check_model_name(name)
        for alias, _ in aliases:
            names.check_alias(alias)

        def work(connection: Connection) -> None:
            self._own(connection, name, owner, generation)
            for alias, version in aliases:
                _point(connection, name, alias, version)

        self._writer.run(work)

    def let_go(self, owner: str) -> None:
        """The owner's model is gone with its versions; one that was adopted stays, and has no owner. Idempotent."""
        mine = registered_models.c.owner == owner

        def work(connection: Connection) -> None:
            connection.execute(delete(registered_models).where(mine, registered_models.c.is_adopted.is_(False)))
            connection.execute(update(registered_models).where(mine).values(owner="", generation=0, is_adopted=False))

        self._writer.run(work)

    def get(self, name: str) -> RegisteredModel:
        with self._db.read() as connection:
            return require_model(connection, name)

    def update(self, name: str, description: str) -> RegisteredModel:
        def work(connection: Connection) -> RegisteredModel:
            self._change(connection, name, description=description)
            return require_model(connection, name)

        return self._writer.run(work)

    def rename(self, name: str, new_name: str) -> RegisteredModel:
        """Its versions, aliases and tags go with it."""
        names.check_model_name(new_name)

        def work(connection: Connection) -> RegisteredModel:
            require_model(connection, name)
            _check_free(connection, new_name)
            self._change(connection, name, name=new_name)
            return require_model(connection, new_name)

        return self._writer.run(work)

    def delete(self, name: str) -> None:
        """It is gone with its versions; their files stay where they were logged."""

        def work(connection: Connection) -> None:
            gone = connection.execute(delete(registered_models).where(registered_models.c.name == name)).rowcount
            if not gone:
                raise _no_model(name)

        self._writer.run(work)

    def set_tag(self, name: str, tag: Tag) -> None:
        _check_tags((tag,))

        def work(connection: Connection) -> None:
            require_model(connection, name)
            _put_tags(connection, name, (tag,))

        self._writer.run(work)

    def delete_tag(self, name: str, key: str) -> None:
        """Idempotent, as MLflow has it."""
        names.check_key(key, "key")

        def work(connection: Connection) -> None:
            require_model(connection, name)
            here = (registered_model_tags.c.name == name, registered_model_tags.c.key == key)
            connection.execute(delete(registered_model_tags).where(*here))

        self._writer.run(work)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """From now on the alias means this version. Raises TrackingError when there is no such version."""
        names.check_model_name(name)
        names.check_alias(alias)

        def work(connection: Connection) -> None:
            _point(connection, name, alias, version)
            self._change(connection, name)

        self._writer.run(work)

    def delete_alias(self, name: str, alias: str) -> None:
        """Idempotent, as MLflow has it."""
        names.check_alias(alias)

        def work(connection: Connection) -> None:
            require_model(connection, name)
            here = (model_aliases.c.name == name, model_aliases.c.alias == alias)
            if connection.execute(delete(model_aliases).where(*here)).rowcount:
                self._change(connection, name)

        self._writer.run(work)

    def version_of_alias(self, name: str, alias: str) -> int:
        with self._db.read() as connection:
            require_model(connection, name)
            here = (model_aliases.c.name == name, model_aliases.c.alias == alias)
            version = connection.scalar(select(model_aliases.c.version).where(*here))
        if version is None:
            raise invalid(f"Registered model alias {alias} not found.")
        return int(version)

    def search(self, filter_text: str, order_by: Sequence[str], limit: int, token: str) -> Page[RegisteredModel]:
        query = select(registered_models)
        comparisons, wants_prompts = without_prompt_clause(parse_filter(filter_text))
        for comparison in comparisons:
            query = query.where(_condition(comparison))
        own = registered_model_tags.c.name == registered_models.c.name
        query = query.where(prompt_condition(registered_model_tags, own, wants_prompts))
        offset = offset_of(token)
        query = query.order_by(*_order(order_by), registered_models.c.name).limit(limit + 1).offset(offset)
        with self._db.read() as connection:
            page = page_of(connection.execute(query).all(), offset, limit)
            return Page(tuple(_whole(connection, page.items)), page.token)

    def _own(self, connection: Connection, name: str, owner: str, generation: int) -> None:
        mine = connection.execute(select(registered_models).where(registered_models.c.owner == owner)).first()
        row = connection.execute(select(registered_models).where(registered_models.c.name == name)).first()
        exists = ErrorCode.RESOURCE_ALREADY_EXISTS
        if row is not None and row.owner not in ("", owner):
            raise TrackingError(exists, f"The model {name} already exists and belongs to {row.owner}.")
        if mine is not None and mine.name != name:
            raise TrackingError(exists, f"Its model is called {mine.name}, and is not renamed.")
        if mine is not None and generation < mine.generation:
            older = f"Generation {generation} is older than {mine.generation}, which is here already."
            raise TrackingError(ErrorCode.INVALID_STATE, older)
        if row is None:
            self._insert(connection, name, "", owner)
            self._change(connection, name, generation=generation)
        elif not row.owner:
            self._change(connection, name, owner=owner, generation=generation, is_adopted=True)
        elif generation > row.generation:
            self._change(connection, name, generation=generation)

    def _insert(self, connection: Connection, name: str, description: str, owner: str) -> None:
        now = self._now_ms()
        row = {"name": name, "description": description, "created_ms": now, "updated_ms": now, "owner": owner}
        connection.execute(insert(registered_models).values(row))

    def _change(self, connection: Connection, model: str, /, **values: object) -> None:
        here = registered_models.c.name == model
        done = connection.execute(update(registered_models).where(here).values(updated_ms=self._now_ms(), **values))
        if not done.rowcount:
            raise _no_model(model)


def require_model(connection: Connection, name: str) -> RegisteredModel:
    """Raises TrackingError: RESOURCE_DOES_NOT_EXIST."""
    names.check_model_name(name)
    row = connection.execute(select(registered_models).where(registered_models.c.name == name)).first()
    if row is None:
        raise _no_model(name)
    return _whole(connection, [row])[0]


def _point(connection: Connection, name: str, alias: str, version: int) -> None:
    """Raises TrackingError: RESOURCE_DOES_NOT_EXIST."""
    here = (model_versions.c.name == name, model_versions.c.version == version)
    if not connection.execute(select(1).where(*here)).first():
        raise missing(f"Model Version (name={name}, version={version}) not found")
    put = upsert(model_aliases)
    replace = put.on_conflict_do_update(index_elements=["name", "alias"], set_={"version": put.excluded.version})
    connection.execute(replace, {"name": name, "alias": alias, "version": version})


def _no_model(name: str) -> TrackingError:
    return missing(f"Registered Model with name={name} not found")


def _check_free(connection: Connection, name: str) -> None:
    if connection.execute(select(1).where(registered_models.c.name == name)).first():
        raise TrackingError(ErrorCode.RESOURCE_ALREADY_EXISTS, f"Registered Model (name={name}) already exists.")


def _check_tags(tags: Sequence[Tag]) -> None:
    for tag in tags:
        names.check_tag(tag, chars_max=names.MODEL_TAG_CHARS_MAX)


def _put_tags(connection: Connection, name: str, tags: Sequence[Tag]) -> None:
    rows = [{"name": name, "key": tag.key, "value": tag.value} for tag in last_of_each(tags)]
    if rows:
        put = upsert(registered_model_tags)
        replace = put.on_conflict_do_update(index_elements=["name", "key"], set_={"value": put.excluded.value})
        connection.execute(replace, rows)


def _whole(connection: Connection, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
    found = [row.name for row in rows]

    def tag_of(row: Row[Any]) -> Tag:
        return Tag(row.key, row.value)

    def alias_of(row: Row[Any]) -> tuple[str, int]:
        return row.alias, row.version

    tags = grouped(connection, select(registered_model_tags), registered_model_tags.c.name, found, tag_of)
    aliases = grouped(connection, select(model_aliases), model_aliases.c.name, found, alias_of)
    latest = {name: whole_versions(connection, latest_of_stages(connection, name)) for name in found}
    return [
        RegisteredModel(
            row.name,
            row.description,
            row.created_ms,
            row.updated_ms,
            row.owner,
            tags(row.name),
            aliases(row.name),
            tuple(latest[row.name]),
        )
        for row in rows
    ]


def _condition(asked: Comparison) -> ColumnElement[bool]:
    match asked.entity:
        case Entity.ATTRIBUTE:
            return attribute_condition(_COLUMNS, frozenset(), asked)
        case Entity.TAG:
            owner = [(registered_model_tags.c.name, registered_models.c.name)]
            return tag_condition(registered_model_tags, owner, asked)
        case _:
            raise invalid(f"Invalid token type: {asked.entity}")


def _order(order_by: Sequence[str]) -> list[ColumnElement[Any]]:
    ordered: list[ColumnElement[Any]] = []
    for text in order_by:
        asked = parse_order(text)
        column = _ORDERS.get(asked.key)
        if asked.entity is not Entity.ATTRIBUTE or column is None:
            raise invalid(f"Invalid order by key '{asked.key}' specified. Valid keys are '{sorted(_ORDERS)}'")
        ordered.append(column.asc() if asked.is_ascending else column.desc())
    return ordered
