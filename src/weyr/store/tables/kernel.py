"""The tables of the loop: stacks, plans, objects, the things engines hold for them, and the story."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from weyr.store.database import metadata

stacks = Table(
    "stacks",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("plan_id", String(64), nullable=False),
    Column("price_as", String(100), nullable=False),
    Column("file", Text, nullable=False),
    Column("is_removing", Boolean, nullable=False, default=False),
    Column("applied_at", Float, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("stack", String(40), nullable=False, index=True),
    Column("parent", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("applied_at", Float),
)

objects = Table(
    "objects",
    metadata,
    Column("stack", String(40), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("spec", Text),  # NULL: the object is to go away
    Column("next_spec", Text),  # what it becomes once it is gone: a replacement
    Column("needs", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("folder", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("memory", Text),
    Column("changed_at", Float, nullable=False),
)

things = Table(
    "things",
    metadata,
    Column("stack", String(40), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("part", String(60), primary_key=True),
    Column("capability", String(40), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("body", Text),
    Column("is_accepted", Boolean, nullable=False),
    Column("is_released", Boolean, nullable=False),
    Column("refusal", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("asked_at", Float, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("stack", String(40), nullable=False),
    Column("ref", String(100), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("event", String(60), nullable=False),
    Column("message", Text, nullable=False),
    Index("events_by_stack", "stack", "id"),
    sqlite_autoincrement=True,
)
