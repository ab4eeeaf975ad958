"""Which versions does a registered model have? Made from a run's files, tagged, moved between stages, found."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, delete, func, insert, select, tuple_, update

from weyr.store.database import Database
from weyr.store.dialects import upsert
from weyr.store.tables.tracking import (
    logged_models,
    model_aliases,
    model_version_tags,
    model_versions,
    registered_models,
    run_models,
    runs,
)
from weyr.tracking import names
from weyr.tracking.comparing import attribute_condition, last_of_each, tag_condition
from weyr.tracking.entities import ModelVersion, Page, Stage, Tag
from weyr.tracking.errors import invalid, missing
from weyr.tracking.filters import Comparison, Entity, parse_filter, parse_order
from weyr.tracking.paging import offset_of, page_of
from weyr.tracking.places import check_source, join
from weyr.tracking.prompts import are_prompt_tags, prompt_condition, without_prompt_clause
from weyr.tracking.writer import Writer

RESULTS_MAX = 200_000

_COLUMNS: Mapping[str, Column[Any]] = {
    "name": model_versions.c.name,
    "version_number": model_versions.c.version,
    "version": model_versions.c.version,
    "run_id": model_versions.c.run_id,
    "source_path": model_versions.c.source,
}
_NUMBERS = frozenset({"version_number", "version"})
_ORDERS: Mapping[str, Column[Any]] = {
    **_COLUMNS,
    "creation_timestamp": model_versions.c.created_ms,
    "last_updated_timestamp": model_versions.c.updated_ms,
}


class Versions:
    """The versions of one store's registered models."""

    def __init__(self, db: Database, writer: Writer, now_ms: Callable[[], int]) -> None:
        self._db = db
        self._writer = writer
        self._now_ms = now_ms

    def create(
        self,
        name: str,
        source: str,
        run_id: str,
        run_link: str,
        description: str,
        model_id: str,
        tags: Sequence[Tag],
        user_id: str,
        seal: str = "",
    ) -> ModelVersion:
        """The next number of this model. Numbers of deleted versions are not given again.

        Takes: `seal` of the files at `files_uri_of`; a copy of a version keeps what that was registered with.

        Raises TrackingError when the model, the run or the logged model is not there, or the source is a path
        on this machine.
        """
        names.check_model_name(name)
        for tag in tags:
            names.check_tag(tag, chars_max=names.MODEL_TAG_CHARS_MAX)
        if not are_prompt_tags(tags):
            check_source(source)

        def work(connection: Connection) -> ModelVersion:
            here = registered_models.c.name == name
            now = self._now_ms()
            connection.execute(
                update(registered_models)
                .where(here)
                .values(version_last=registered_models.c.version_last + 1, updated_ms=now)
            )
            version = connection.scalar(select(registered_models.c.version_last).where(here))
            if version is None:
                raise missing(f"Registered Model with name={name} not found")
            origin = _origin(connection, source, run_id, model_id)
            row = {
                "name": name,
                "version": version,
                "description": description,
                "user_id": user_id,
                "stage": Stage.NONE.value,
                "source": source,
                "files_uri": origin.files_uri,
                "seal": origin.seal or seal,
                "run_id": origin.run_id,
                "run_link": run_link,
                "model_id": origin.model_id,
                "created_ms": now,
                "updated_ms": now,
            }
            connection.execute(insert(model_versions).values(row))
            _put_tags(connection, name, version, tags)
            return require_version(connection, name, version)

        return self._writer.run(work)

    def files_uri_of(self, source: str, run_id: str, model_id: str) -> str:
        """Where the files of such a version lie. Raises TrackingError as `create` does."""
        with self._db.read() as connection:
            return _origin(connection, source, run_id, model_id).files_uri

    def get(self, name: str, version: int) -> ModelVersion:
        names.check_model_name(name)
        with self._db.read() as connection:
            return require_version(connection, name, version)

    def update(self, name: str, version: int, description: str | None) -> ModelVersion:
        def work(connection: Connection) -> ModelVersion:
            require_version(connection, name, version)
            if description is not None:
                self._change(connection, name, version, description=description)
            return require_version(connection, name, version)

        return self._writer.run(work)

    def delete(self, name: str, version: int) -> None:
        """It is gone with its tags and the aliases that meant it; its files stay."""

        def work(connection: Connection) -> None:
            require_version(connection, name, version)
            for table in (model_version_tags, model_aliases, model_versions):
                connection.execute(delete(table).where(table.c.name == name, table.c.version == version))
            self._touch_model(connection, name)

        self._writer.run(work)

    def move(self, name: str, version: int, stage_text: str, archives_others: bool) -> ModelVersion:
        """Into a stage; the versions that were in it go to Archived if asked."""
        stage = stage_of(stage_text)
        if archives_others and stage not in (Stage.STAGING, Stage.PRODUCTION):
            raise invalid(
                f"Model version transition cannot archive existing model versions because '{stage}' is not an Active "
                "stage. Valid stages are Staging, Production"
            )

        def work(connection: Connection) -> ModelVersion:
            require_version(connection, name, version)
            if archives_others:
                others = (
                    model_versions.c.name == name,
                    model_versions.c.version != version,
                    model_versions.c.stage == stage.value,
                )
                archived = update(model_versions).where(*others)
                connection.execute(archived.values(stage=Stage.ARCHIVED.value, updated_ms=self._now_ms()))
            self._change(connection, name, version, stage=stage.value)
            self._touch_model(connection, name)
            return require_version(connection, name, version)

        return self._writer.run(work)

    def latest(self, name: str, stages: Sequence[str]) -> list[ModelVersion]:
        """The newest version of each stage asked for; of every stage if none is."""
        asked = {stage_of(text) for text in stages}
        names.check_model_name(name)
        with self._db.read() as connection:
            if not connection.execute(select(1).where(registered_models.c.name == name)).first():
                raise missing(f"Registered Model with name={name} not found")
            found = whole_versions(connection, latest_of_stages(connection, name))
        return [version for version in found if not asked or version.stage in asked]

    def set_tag(self, name: str, version: int, tag: Tag) -> None:
        names.check_tag(tag, chars_max=names.MODEL_TAG_CHARS_MAX)

        def work(connection: Connection) -> None:
            require_version(connection, name, version)
            _put_tags(connection, name, version, (tag,))

        self._writer.run(work)

    def delete_tag(self, name: str, version: int, key: str) -> None:
        """Idempotent, as MLflow has it."""
        names.check_key(key, "key")

        def work(connection: Connection) -> None:
            require_version(connection, name, version)
            tag = model_version_tags.c
            here = (tag.name == name, tag.version == version, tag.key == key)
            connection.execute(delete(model_version_tags).where(*here))

        self._writer.run(work)

    def search(self, filter_text: str, order_by: Sequence[str], limit: int, token: str) -> Page[ModelVersion]:
        query = select(model_versions)
        comparisons, wants_prompts = without_prompt_clause(parse_filter(filter_text))
        for comparison in comparisons:
            query = query.where(_condition(comparison))
        tag = model_version_tags.c
        own = (tag.name == model_versions.c.name) & (tag.version == model_versions.c.version)
        query = query.where(prompt_condition(model_version_tags, own, wants_prompts))
        offset = offset_of(token)
        query = query.order_by(*_order(order_by)).limit(limit + 1).offset(offset)
        with self._db.read() as connection:
            page = page_of(connection.execute(query).all(), offset, limit)
            return Page(tuple(whole_versions(connection, page.items)), page.token)

    def _touch_model(self, connection: Connection, name: str) -> None:
        here = registered_models.c.name == name
        connection.execute(update(registered_models).where(here).values(updated_ms=self._now_ms()))

    def _change(self, connection: Connection, name: str, version: int, **values: object) -> None:
        here = (model_versions.c.name == name, model_versions.c.version == version)
        connection.execute(update(model_versions).where(*here).values(updated_ms=self._now_ms(), **values))


def stage_of(text: str) -> Stage:
    """Takes a stage in any case. Raises TrackingError for any other word."""
    for stage in Stage:
        if stage.value.lower() == text.lower():
            return stage
    raise invalid(f"Invalid Model Version stage: {text}. Value must be one of {', '.join(Stage)}.")


def require_version(connection: Connection, name: str, version: int) -> ModelVersion:
    """Raises TrackingError: RESOURCE_DOES_NOT_EXIST."""
    here = (model_versions.c.name == name, model_versions.c.version == version)
    row = connection.execute(select(model_versions).where(*here)).first()
    if row is None:
        raise missing(f"Model Version (name={name}, version={version}) not found")
    return whole_versions(connection, [row])[0]


def whole_versions(connection: Connection, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
    """The versions with their tags and aliases, in the order of the rows."""
    found = sorted({row.name for row in rows})
    tags: dict[tuple[str, int], list[Tag]] = {}
    aliases: dict[tuple[str, int], list[str]] = {}
    for start in range(0, len(found), 500):
        portion = found[start : start + 500]
        for row in connection.execute(select(model_version_tags).where(model_version_tags.c.name.in_(portion))):
            tags.setdefault((row.name, row.version), []).append(Tag(row.key, row.value))
        for row in connection.execute(select(model_aliases).where(model_aliases.c.name.in_(portion))):
            aliases.setdefault((row.name, row.version), []).append(row.alias)
    return [
        ModelVersion(
            row.name,
            row.version,
            row.description,
            row.user_id,
            Stage(row.stage),
            row.source,
            row.files_uri,
            row.run_id,
            row.run_link,
            row.model_id,
            row.created_ms,
            row.updated_ms,
            tuple(tags.get((row.name, row.version), ())),
            tuple(aliases.get((row.name, row.version), ())),
        )
        for row in rows
    ]


def latest_of_stages(connection: Connection, name: str) -> Sequence[Row[Any]]:
    newest = (
        select(model_versions.c.stage, func.max(model_versions.c.version))
        .where(model_versions.c.name == name)
        .group_by(model_versions.c.stage)
    )
    here = (model_versions.c.name == name, tuple_(model_versions.c.stage, model_versions.c.version).in_(newest))
    return connection.execute(select(model_versions).where(*here).order_by(model_versions.c.version)).all()


class _Origin:
    """Where a version's files lie, which run and logged model they came from, and the seal of the version copied."""

    def __init__(self, files_uri: str, run_id: str, model_id: str, seal: str = "") -> None:
        self.files_uri = files_uri
        self.run_id = run_id
        self.model_id = model_id
        self.seal = seal


def _origin(connection: Connection, source: str, run_id: str, model_id: str) -> _Origin:
    logged = re.fullmatch(r"models:/(m-[^/]+)", source)
    if logged or model_id:
        asked = logged[1] if logged else model_id
        row = connection.execute(select(logged_models).where(logged_models.c.model_id == asked)).first()
        if row is None:
            raise missing(f"Logged model with ID '{asked}' not found.")
        return _Origin(row.artifact_uri if logged else source, run_id or row.source_run_id, asked)
    version = re.fullmatch(r"models:/([^/@]+)/(\d+)", source)
    if version:
        original = require_version(connection, version[1], int(version[2]))
        here = (model_versions.c.name == original.name, model_versions.c.version == original.version)
        seal = connection.scalar(select(model_versions.c.seal).where(*here)) or ""
        return _Origin(original.files_uri, run_id or original.run_id, original.model_id, seal)
    of_run = re.fullmatch(r"runs:/([^/]+)/(.+)", source)
    if of_run:
        origin = _of_run(connection, of_run[1], of_run[2])
        return _Origin(origin.files_uri, run_id or origin.run_id, origin.model_id)
    return _Origin(source, run_id, model_id)


def _of_run(connection: Connection, run_id: str, path: str) -> _Origin:
    made = (
        select(logged_models)
        .join(run_models, run_models.c.model_id == logged_models.c.model_id)
        .where(run_models.c.run_id == run_id, run_models.c.direction == "output", logged_models.c.name == path)
        .order_by(run_models.c.step.desc(), logged_models.c.created_ms.desc())
    )
    model = connection.execute(made).first()
    if model is not None:
        return _Origin(model.artifact_uri, run_id, model.model_id)
    row = connection.execute(select(runs.c.artifact_uri).where(runs.c.run_id == run_id)).first()
    # MLflow registers models of runs that it does not know; what cannot be found is refused where it is loaded.
    return _Origin(f"runs:/{run_id}/{path}" if row is None else join(row.artifact_uri, path), run_id, "")


def _put_tags(connection: Connection, name: str, version: int, tags: Sequence[Tag]) -> None:
    rows = [{"name": name, "version": version, "key": tag.key, "value": tag.value} for tag in last_of_each(tags)]
    if rows:
        put = upsert(model_version_tags)
        replace = put.on_conflict_do_update(
            index_elements=["name", "version", "key"], set_={"value": put.excluded.value}
        )
        connection.execute(replace, rows)


def _condition(asked: Comparison) -> ColumnElement[bool]:
    match asked.entity:
        case Entity.ATTRIBUTE:
            return attribute_condition(_COLUMNS, _NUMBERS, asked)
        case Entity.TAG:
            tag = model_version_tags.c
            owner = [(tag.name, model_versions.c.name), (tag.version, model_versions.c.version)]
            return tag_condition(model_version_tags, owner, asked)
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
    if not ordered:
        ordered.append(model_versions.c.updated_ms.desc())
    return [*ordered, model_versions.c.name.asc(), model_versions.c.version.desc()]
