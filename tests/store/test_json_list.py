"""A line as text: what a database tells is what was sealed."""

import json
import string
from pathlib import Path

from sqlalchemy import select
from stores import place as place
from stores import postgres as postgres

from weyr.store.database import Database, metadata
from weyr.store.dialects import JsonList
from weyr.store.place import PostgresUrl
from weyr.store.tables.ledger import accounts

CONTROL = "".join(chr(code) for code in range(1, 32)) + "\x7f"
TEXTS = ("", "a\"b\\c/d'e", CONTROL, "é€😀\u2028\u00a0", string.printable, "],[")


def test_a_row_is_told_as_python_would_seal_it(place: Path | PostgresUrl) -> None:
    """A proof that read the lines otherwise than they were posted would call an honest journal changed."""
    db = Database(place)
    columns = [accounts.c[name] for name in ("id", "stack", "kind", "labels")]
    with db.write() as connection:
        metadata.create_all(connection, [accounts])
        for number, text in enumerate(TEXTS):
            row = {"id": number or -(2**63), "stack": text, "kind": text[::-1], "name": "", "labels": text * 2}
            connection.execute(accounts.insert(), row)
    with db.read() as connection:
        rows = connection.execute(select(JsonList(columns), *columns)).all()
    db.close()
    assert len(rows) == len(TEXTS)
    for told, *values in rows:
        assert told == json.dumps(values, separators=(",", ":"), ensure_ascii=False)
