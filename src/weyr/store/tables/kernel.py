"""The tables of the loop: stacks, plans, objects, the things engines hold for them, and the story."""

from sqlalchemy import Boolean, Column, Float, Index, Table, Text, text

from weyr.store.database import metadata
from weyr.store.dialects import INT64, words

stacks = Table(
    "stacks",
    metadata,
    Column("name", words(40), primary_key=True),
    Column("plan_id", words(64), nullable=False),
    Column("price_as", words(100), nullable=False),
    Column("file", Text, nullable=False),
    Column("is_removing", Boolean, nullable=False, default=False),
    Column("applied_at", Float, nullable=False),
    Column("on_json", Text, nullable=False, server_default="{}"),
)

plans = Table(
    "plans",
    metadata,
    Column("id", words(64), primary_key=True),
    Column("stack", words(40), nullable=False, index=True),
    Column("parent", words(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("applied_at", Float),
)

objects = Table(
    "objects",
    metadata,
    Column("stack", words(40), primary_key=True),
    Column("kind", words(40), primary_key=True),
    Column("name", words(40), primary_key=True),
    Column("spec", Text),  # NULL: the object is to go away
    Column("next_spec", Text),  # what it becomes once it is gone: a replacement
    Column("needs", Text, nullable=False),
    Column("generation", INT64, nullable=False),
    Column("folder", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("memory", Text),
    Column("changed_at", Float, nullable=False),
    Column("owner", Text, nullable=False, server_default=text("''")),  # who brought it up
    Column("ordered", Text),  # what somebody told it to do by hand last
    Column("labels", Text, nullable=False, server_default=text("'[]'")),  # what its spending counts under
)

things = Table(
    "things",
    metadata,
    Column("stack", words(40), primary_key=True),
    Column("kind", words(40), primary_key=True),
    Column("name", words(40), primary_key=True),
    Column("part", words(60), primary_key=True),
    Column("capability", words(40), nullable=False),
    Column("generation", INT64, nullable=False),
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
    Column("id", INT64, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("stack", words(40), nullable=False),
    Column("ref", words(100), nullable=False),
    Column("plan", words(64), nullable=False),
    Column("event", words(60), nullable=False),
    Column("message", Text, nullable=False),
    Index("events_by_stack", "stack", "id"),
    sqlite_autoincrement=True,
)

learnt = Table(
    "learnt",
    metadata,
    Column("name", words(200), primary_key=True),  # who are scaled together: an object, or the queue that they share
    Column("state", Text, nullable=False),
    Column("at", Float, nullable=False),
)
