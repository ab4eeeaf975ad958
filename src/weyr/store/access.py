"""How are credentials and sealed secrets kept? The port of `access` to the database.

Everything that should not be read is sealed or hashed before it comes here.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select

from weyr.core.ref import Ref
from weyr.store.dialects import upsert
from weyr.store.tables.access import credentials, credentials_generation, secrets, team_members

NAMES_MAX = 500
"""How many names one statement takes: a database's bound on a statement's values is far above it."""

# Made once: every pass in which a task begins or ends executes them.
_ALL_CREDENTIALS = select(credentials).order_by(credentials.c.principal)
_ADD_CREDENTIALS = insert(credentials)
_DROP_CREDENTIALS = delete(credentials).where(credentials.c.principal.in_(bindparam("principals", expanding=True)))
_NEXT_GENERATION = (
    upsert(credentials_generation)
    .values(one=1, generation=1)
    .on_conflict_do_update(index_elements=["one"], set_={"generation": credentials_generation.c.generation + 1})
    .returning(credentials_generation.c.generation)
)


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """What one caller proves itself with: a hashed token, and a key id with its sealed secret."""

    principal: str
    grants: tuple[str, ...]
    token_sha256: str
    access_key_id: str
    sealed_secret: bytes = field(repr=False)
    issued_at: float


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One secret. `sealed` None: it has no value (any more); its versions go on counting."""

    ref: Ref
    version: int
    generation: int
    sealed: bytes | None = field(repr=False)


def credential_rows(connection: Connection) -> Sequence[CredentialRow]:
    """Everybody who has credentials, by name."""
    return [_credential_of(row) for row in connection.execute(_ALL_CREDENTIALS)]


def put_credentials(connection: Connection, rows: Sequence[CredentialRow]) -> bool:
    """Keeps principals' credentials in place of those they had. Whether that changed anything."""
    if not rows:
        return False
    drop_credentials(connection, [row.principal for row in rows])
    values = [
        {
            "principal": row.principal,
            "grants": json.dumps(row.grants),
            "token_sha256": row.token_sha256,
            "access_key_id": row.access_key_id,
            "sealed_secret": row.sealed_secret,
            "issued_at": row.issued_at,
        }
        for row in rows
    ]
    connection.execute(_ADD_CREDENTIALS, values)
    return True


def drop_credentials(connection: Connection, principals: Sequence[str]) -> bool:
    """Whether there were any to drop."""
    dropped = 0
    for first in range(0, len(principals), NAMES_MAX):
        some = principals[first : first + NAMES_MAX]
        dropped += connection.execute(_DROP_CREDENTIALS, {"principals": some}).rowcount
    return dropped > 0


def next_generation(connection: Connection) -> int:
    """Counts the changes of who may call, across restarts."""
    return int(connection.execute(_NEXT_GENERATION).scalar_one())


def secret_row(connection: Connection, ref: Ref) -> SecretRow | None:
    row = connection.execute(select(secrets).where(_is(ref))).one_or_none()
    return _secret_of(row) if row else None


def secret_rows(connection: Connection, stack: str | None = None) -> Sequence[SecretRow]:
    """The secrets that have a value, of one stack or of all."""
    query = select(secrets).where(secrets.c.sealed.is_not(None)).order_by(secrets.c.stack, secrets.c.name)
    return [
        _secret_of(row) for row in connection.execute(query if stack is None else query.where(secrets.c.stack == stack))
    ]


def put_secret(connection: Connection, row: SecretRow) -> None:
    """Keeps a secret's row in place of the one before."""
    connection.execute(delete(secrets).where(_is(row.ref)))
    connection.execute(
        insert(secrets).values(
            stack=row.ref.stack, name=row.ref.name, version=row.version, generation=row.generation, sealed=row.sealed
        )
    )


def sealed_count(connection: Connection) -> int:
    """How many values could not be read without the master key."""
    values = select(func.count()).select_from(secrets).where(secrets.c.sealed.is_not(None))
    keys = select(func.count()).select_from(credentials)
    return int(connection.execute(values).scalar_one()) + int(connection.execute(keys).scalar_one())


def _is(ref: Ref) -> ColumnElement[bool]:
    return (secrets.c.stack == ref.stack) & (secrets.c.name == ref.name)


def _credential_of(row: Row[Any]) -> CredentialRow:
    return CredentialRow(
        principal=row.principal,
        grants=tuple(json.loads(row.grants)),
        token_sha256=row.token_sha256,
        access_key_id=row.access_key_id,
        sealed_secret=row.sealed_secret,
        issued_at=row.issued_at,
    )


def _secret_of(row: Row[Any]) -> SecretRow:
    return SecretRow(Ref(row.stack, "secret", row.name), row.version, row.generation, row.sealed)


def teams(connection: Connection) -> Mapping[str, tuple[str, ...]]:
    """The members of each team, all by name."""
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(select(team_members).order_by(team_members.c.team, team_members.c.member)):
        found[row.team] = (*found.get(row.team, ()), row.member)
    return found


def team_of(connection: Connection, member: str) -> str:
    """The team of a person, "" for none."""
    return connection.execute(select(team_members.c.team).where(team_members.c.member == member)).scalar() or ""


def put_team(connection: Connection, team: str, members: Collection[str]) -> None:
    """Makes a team be these people; who was of another is of that no more."""
    gone = (team_members.c.team == team) | team_members.c.member.in_(sorted(members))
    connection.execute(delete(team_members).where(gone))
    if members:
        connection.execute(insert(team_members), [{"member": each, "team": team} for each in sorted(set(members))])
