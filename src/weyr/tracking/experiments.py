"""What experiments are there? Made, found, renamed, tagged, deleted and restored."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, select, update

from weyr.store.database import Database
from weyr.store.dialects import upsert
from weyr.store.tables.tracking import ACTIVE, DELETED, experiment_tags, experiments, runs
from weyr.tracking import names
from weyr.tracking.comparing import attribute_condition, last_of_each, stage_condition, tag_condition
from weyr.tracking.entities import Experiment, Lifecycle, Page, Tag, View
from weyr.tracking.errors import ErrorCode, TrackingError, invalid, missing
from weyr.tracking.filters import Comparison, Entity, parse_filter, parse_order
from weyr.tracking.gathering import grouped
from weyr.tracking.paging import offset_of, page_of
from weyr.tracking.places import join, plain_location
from weyr.tracking.writer import Writer

DEFAULT_EXPERIMENT_ID = 0
DEFAULT_EXPERIMENT_NAME = "Default"
SEARCHED_MAX = 10_000
NAMES_MAX = 500
"""How many names one statement takes: a database's bound on a statement's values is far above it."""

_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "name": experiments.c.name,
    "experiment_id": experiments.c.experiment_id,
    "creation_time": experiments.c.created_ms,
    "last_update_time": experiments.c.updated_ms,
}
_NUMBERS = frozenset({"creation_time", "last_update_time", "experiment_id"})

_OWNED_COLUMNS = [experiments.c[key] for key in ("name", "artifact_location", "lifecycle_stage", "owner_stack")]
"""Those that `_owned` fills, in its order."""
# Made once: every pass in which a task begins executes them.
_OWNED = select(*_OWNED_COLUMNS, experiments.c.experiment_id).where(
    experiments.c.name.in_(bindparam("names", expanding=True))
)
_INSERT = upsert(experiments)
_PUT_OWNED = _INSERT.on_conflict_do_update(
    index_elements=["name"], set_={column.name: _INSERT.excluded[column.name] for column in _OWNED_COLUMNS}
)


class Experiments:
    """The experiments of one store. `now_ms` is Unix time in milliseconds."""

    def __init__(self, db: Database, writer: Writer, now_ms: Callable[[], int], artifact_root: str) -> None:
        self._db = db
        self._writer = writer
        self._now_ms = now_ms
        self._artifact_root = artifact_root

    def ensure_default(self) -> None:
        """The experiment 0 that a client logs to when it names none."""
        now = self._now_ms()
        location = join(self._artifact_root, str(DEFAULT_EXPERIMENT_ID))
        row = {
            "experiment_id": DEFAULT_EXPERIMENT_ID,
            "name": DEFAULT_EXPERIMENT_NAME,
            "artifact_location": location,
            "created_ms": now,
            "updated_ms": now,
        }
        self._writer.run(
            lambda connection: connection.execute(upsert(experiments).values(row).on_conflict_do_nothing())
        )

    def create(self, name: str, location: str, tags: Sequence[Tag] = (), owner_stack: str = "") -> str:
        """Gives its id. Without a location its files lie under the store's own root.

        Raises TrackingError: RESOURCE_ALREADY_EXISTS for a name in use, also by a deleted one.
        """
        names.check_experiment_name(name)
        location = plain_location(location) if location else ""
        for tag in tags:
            names.check_tag(tag, chars_max=names.EXPERIMENT_TAG_CHARS_MAX)

        def work(connection: Connection) -> str:
            if connection.execute(select(1).where(experiments.c.name == name)).first():
                raise TrackingError(ErrorCode.RESOURCE_ALREADY_EXISTS, f"Experiment(name={name}) already exists.")
            return self._insert(connection, name, location, tags, owner_stack)

        return self._writer.run(work)

    def ensure(self, wanted: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Gives the ids of stacks' experiments by name; makes those that lack, restores those that somebody deleted.

        Takes by name where its files lie, and the stack that owns it. Idempotent. Does not wait for the disk: what is
        logged there later is never kept without it, and a task's every attempt ensures it again.
        """
        rows = [_owned(name, place, stack) for name, (place, stack) in wanted.items()]
        found: dict[str, str] = {}
        for first in range(0, len(rows), NAMES_MAX):
            found |= self._ensure_some(rows[first : first + NAMES_MAX])
        return found

    def _ensure_some(self, rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
        asked = {"names": [row["name"] for row in rows]}
        with self._db.read() as connection:
            known = {tuple(values): str(id) for *values, id in connection.execute(_OWNED, asked)}
        now = self._now_ms()
        fresh = [{**row, "created_ms": now, "updated_ms": now} for row in rows if tuple(row.values()) not in known]
        if fresh:
            with self._db.write(is_synced=False) as connection:
                connection.execute(_PUT_OWNED, fresh)
                known = {tuple(values): str(id) for *values, id in connection.execute(_OWNED, asked)}
        return {row["name"]: known[tuple(row.values())] for row in rows}

    def get(self, experiment_id: str) -> Experiment:
        with self._db.read() as connection:
            return experiment_of(connection, experiment_id)

    def by_name(self, name: str) -> Experiment | None:
        with self._db.read() as connection:
            row = connection.execute(select(experiments).where(experiments.c.name == name)).first()
            return _with_tags(connection, [row])[0] if row else None

    def rename(self, experiment_id: str, name: str) -> None:
        names.check_experiment_name(name)

        def work(connection: Connection) -> None:
            found = experiment_of(connection, experiment_id)
            if found.lifecycle is not Lifecycle.ACTIVE:
                raise TrackingError(ErrorCode.INVALID_STATE, "Cannot rename a non-active experiment.")
            other = select(1).where(experiments.c.name == name, experiments.c.experiment_id != int(experiment_id))
            if connection.execute(other).first():
                raise TrackingError(ErrorCode.RESOURCE_ALREADY_EXISTS, f"Experiment(name={name}) already exists.")
            self._change(connection, experiment_id, name=name)

        self._writer.run(work)

    def delete(self, experiment_id: str) -> None:
        """It and its runs are hidden, and can be restored. Nothing is erased."""
        self._move(experiment_id, ACTIVE, DELETED)

    def restore(self, experiment_id: str) -> None:
        self._move(experiment_id, DELETED, ACTIVE)

    def set_tag(self, experiment_id: str, tag: Tag) -> None:
        names.check_tag(tag, chars_max=names.EXPERIMENT_TAG_CHARS_MAX)

        def work(connection: Connection) -> None:
            _check_active(experiment_of(connection, experiment_id))
            _put_tags(connection, int(experiment_id), (tag,))
            self._change(connection, experiment_id)

        self._writer.run(work)

    def delete_tag(self, experiment_id: str, key: str) -> None:
        def work(connection: Connection) -> None:
            _check_active(experiment_of(connection, experiment_id))
            here = (experiment_tags.c.experiment_id == int(experiment_id), experiment_tags.c.key == key)
            if not connection.execute(delete(experiment_tags).where(*here)).rowcount:
                raise missing(f"No tag with name: {key} in experiment with id {experiment_id}")

        self._writer.run(work)

    def search(
        self,
        view: View,
        filter_text: str,
        order_by: Sequence[str],
        limit: int,
        token: str,
    ) -> Page[Experiment]:
        query = select(experiments)
        in_view = stage_condition(experiments.c.lifecycle_stage, view)
        if in_view is not None:
            query = query.where(in_view)
        for comparison in parse_filter(filter_text):
            query = query.where(_condition(comparison))
        offset = offset_of(token)
        query = query.order_by(*_order(order_by)).limit(limit + 1).offset(offset)
        with self._db.read() as connection:
            return page_of(_with_tags(connection, connection.execute(query).all()), offset, limit)

    def _insert(self, connection: Connection, name: str, location: str, tags: Sequence[Tag], owner_stack: str) -> str:
        now = self._now_ms()
        values = {
            "name": name,
            "artifact_location": location,
            "created_ms": now,
            "updated_ms": now,
            "owner_stack": owner_stack,
        }
        key = connection.execute(insert(experiments).values(values)).inserted_primary_key
        assert key is not None
        experiment_id = int(key[0])
        if not location:
            here = experiments.c.experiment_id == experiment_id
            own = join(self._artifact_root, str(experiment_id))
            connection.execute(update(experiments).where(here).values(artifact_location=own))
        _put_tags(connection, experiment_id, tags)
        return str(experiment_id)

    def _move(self, experiment_id: str, old: str, new: str) -> None:
        def work(connection: Connection) -> None:
            found = experiment_of(connection, experiment_id)
            if found.lifecycle.value != old:
                raise missing(f"No {old} experiment with id={experiment_id} exists")
            self._change(connection, experiment_id, lifecycle_stage=new)
            own_runs = runs.c.experiment_id == int(experiment_id)
            connection.execute(update(runs).where(own_runs).values(lifecycle_stage=new))

        self._writer.run(work)

    def _change(self, connection: Connection, experiment_id: str, **values: object) -> None:
        here = experiments.c.experiment_id == int(experiment_id)
        connection.execute(update(experiments).where(here).values(updated_ms=self._now_ms(), **values))


def _owned(name: str, location: str, owner_stack: str) -> dict[str, str]:
    names.check_experiment_name(name)
    location = plain_location(location)
    return {"name": name, "artifact_location": location, "lifecycle_stage": ACTIVE, "owner_stack": owner_stack}


def experiment_of(connection: Connection, experiment_id: str) -> Experiment:
    """Raises TrackingError: RESOURCE_DOES_NOT_EXIST."""
    try:
        number = int(experiment_id)
    except ValueError as e:
        raise invalid(f"Invalid experiment ID '{experiment_id}'. Experiment ID must be a valid integer.") from e
    row = None
    if abs(number) <= names.INT64_MAX:
        row = connection.execute(select(experiments).where(experiments.c.experiment_id == number)).first()
    if row is None:
        raise missing(f"No Experiment with id={experiment_id} exists")
    return _with_tags(connection, [row])[0]


def numbers_of(experiment_ids: Sequence[str]) -> list[int]:
    """The ids that can be ids; a search over others finds nothing. Raises TrackingError for too many."""
    if len(experiment_ids) > SEARCHED_MAX:
        raise invalid(f"A search may name at most {SEARCHED_MAX} experiments.")
    return [int(each) for each in experiment_ids if each.isascii() and each.isdigit() and len(each) <= 18]


def active_experiment(connection: Connection, experiment_id: str) -> Experiment:
    """Raises TrackingError when it is not there, or deleted."""
    found = experiment_of(connection, experiment_id)
    _check_active(found)
    return found


def _check_active(found: Experiment) -> None:
    if found.lifecycle is not Lifecycle.ACTIVE:
        raise invalid(
            f"The experiment {found.experiment_id} must be in the 'active' state. Current state is {found.lifecycle}."
        )


def _put_tags(connection: Connection, experiment_id: int, tags: Sequence[Tag]) -> None:
    rows = [{"experiment_id": experiment_id, "key": tag.key, "value": tag.value} for tag in last_of_each(tags)]
    if rows:
        statement = upsert(experiment_tags)
        replace = statement.on_conflict_do_update(
            index_elements=["experiment_id", "key"], set_={"value": statement.excluded.value}
        )
        connection.execute(replace, rows)


def _with_tags(connection: Connection, rows: Sequence[Row[Any]]) -> list[Experiment]:
    tags = grouped(
        connection,
        select(experiment_tags),
        experiment_tags.c.experiment_id,
        [row.experiment_id for row in rows],
        lambda row: Tag(row.key, row.value),
    )
    return [
        Experiment(
            str(row.experiment_id),
            row.name,
            row.artifact_location,
            Lifecycle(row.lifecycle_stage),
            row.created_ms,
            row.updated_ms,
            row.owner_stack,
            tags(row.experiment_id),
        )
        for row in rows
    ]


def _condition(asked: Comparison) -> ColumnElement[bool]:
    match asked.entity:
        case Entity.ATTRIBUTE:
            return attribute_condition(_COLUMNS, _NUMBERS, asked)
        case Entity.TAG:
            owner = [(experiment_tags.c.experiment_id, experiments.c.experiment_id)]
            return tag_condition(experiment_tags, owner, asked)
        case _:
            raise invalid(f"Invalid search expression type '{asked.entity}'")


def _order(order_by: Sequence[str]) -> list[ColumnElement[Any]]:
    ordered: list[ColumnElement[Any]] = []
    for text in order_by:
        asked = parse_order(text)
        column = _COLUMNS.get(asked.key)
        if asked.entity is not Entity.ATTRIBUTE or column is None:
            raise invalid(f"Invalid order_by entity: '{text}'. Valid keys are '{sorted(_COLUMNS)}'")
        ordered.append(column.asc() if asked.is_ascending else column.desc())
    if not any(parse_order(text).key == "experiment_id" for text in order_by):
        ordered.extend([experiments.c.created_ms.desc(), experiments.c.experiment_id.desc()])
    return ordered
