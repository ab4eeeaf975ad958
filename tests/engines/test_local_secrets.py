"""Secrets as an engine: drawn once, kept when somebody set them, gone when released."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from weyr.access.envelope import envelope_of
from weyr.access.secrets import Secrets
from weyr.core.capability import BucketBody, Refused, SecretBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, SecretFacts
from weyr.engines.local.secrets import LocalSecrets, drawn
from weyr.store.database import Database, metadata

KEY = ThingId(Ref("digits", "secret", "api-key"))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Secrets]:
    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(engine)
    engine.dispose()
    database = Database(tmp_path / "store.db")
    yield Secrets(database, envelope_of(database, tmp_path, os.urandom))
    database.close()


@pytest.fixture
def engine(vault: Secrets) -> LocalSecrets:
    return LocalSecrets(vault, os.urandom)


def test_a_value_is_drawn_once_whatever_is_repeated(engine: LocalSecrets, vault: Secrets) -> None:
    """A reply that was lost is asked for again, and the password must not change by that."""
    assert engine.ensure([Wanted(KEY, 1, SecretBody(32))]) == {}
    value = vault.read(KEY.ref)
    assert re.fullmatch(rb"[A-Za-z0-9]{32}", value or b"")
    engine.ensure([Wanted(KEY, 1, SecretBody(32)), Wanted(KEY, 2, SecretBody(16))])
    assert vault.read(KEY.ref) == value
    assert engine.observe([KEY]) == {KEY: Present(SecretFacts(1), generation=2)}
    assert engine.inventory() == [KEY]


def test_without_generate_it_waits_until_somebody_sets_a_value(engine: LocalSecrets, vault: Secrets) -> None:
    """An API key of another firm cannot be drawn."""
    assert engine.ensure([Wanted(KEY, 1, SecretBody())]) == {}
    assert engine.observe([KEY]) == {KEY: Absent()}
    assert engine.inventory() == []
    vault.set("digits", "api-key", b"given")
    assert engine.observe([KEY]) == {KEY: Present(SecretFacts(1), generation=1)}


def test_what_somebody_set_is_kept_and_is_no_orphan(engine: LocalSecrets, vault: Secrets) -> None:
    """`weyr secret set` may come before the first `weyr up`."""
    vault.set("digits", "api-key", b"given")
    assert engine.inventory() == []
    engine.ensure([Wanted(KEY, 3, SecretBody(32))])
    assert vault.read(KEY.ref) == b"given"
    assert engine.inventory() == [KEY]


def test_released_is_absent_and_may_be_repeated(engine: LocalSecrets, vault: Secrets) -> None:
    """After `weyr down` no value is left, and asking twice is harmless."""
    engine.ensure([Wanted(KEY, 5, SecretBody(32))])
    assert engine.release([KEY]) == engine.release([KEY]) == {}
    assert engine.observe([KEY]) == {KEY: Absent()}
    assert engine.inventory() == []
    assert vault.read(KEY.ref) is None
    assert engine.ensure([Wanted(KEY, 1, SecretBody(32))]) == {}
    assert engine.observe([KEY]) == {KEY: Present(SecretFacts(2), generation=1)}


def test_an_older_generation_and_another_body_are_refused(engine: LocalSecrets) -> None:
    """A late message of an old plan changes nothing."""
    engine.ensure([Wanted(KEY, 7, SecretBody(32))])
    assert isinstance(engine.ensure([Wanted(KEY, 6, SecretBody(32))])[KEY], Refused)
    assert "bucket" in engine.ensure([Wanted(KEY, 8, BucketBody("lake"))])[KEY].reason
    assert engine.observe([KEY]) == {KEY: Present(SecretFacts(1), generation=7)}


def test_every_character_is_as_likely_as_the_others() -> None:
    """62 characters from 256 byte values: the first ones must not come more often."""
    counts = Counter(drawn(62_000, os.urandom))
    assert len(counts) == 62
    assert all(800 < count < 1_200 for count in counts.values())
