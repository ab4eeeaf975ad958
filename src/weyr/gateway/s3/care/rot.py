"""Which blobs are known to be damaged, and what has become of them? The index's table `rot`.

Whoever meets a damaged blob writes it down here, in whichever process; the first process, which alone may know
replicas, mends what it finds here. So a reader has nobody to call: it writes, and looks whether the row has gone.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from weyr.gateway.s3.digests import Rotten
from weyr.gateway.s3.index import AnyIndex, Transaction
from weyr.gateway.s3.records import Bucket, Reader

log = logging.getLogger("weyr.s3")

MENDED_IN_S = 20.0
"""How long a reader waits for a blob to be mended."""
LOOK_EVERY_S = 0.05
HEALED_BY = "replication"
"""The bucket's document that names where its objects are a second time."""


class State(StrEnum):
    FOUND = "found"
    """Nobody has tried yet to get its bytes from elsewhere."""
    LOST = "lost"
    """Nobody has them, or none of those who were asked."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One blob that is not what was written."""

    blob: int
    found_ms: int
    why: str
    state: State


def write_down(transaction: Transaction, rotten: tuple[tuple[int, str], ...], now_ms: int) -> list[int]:
    """Remembers damaged blobs, (blob, why). Gives those that were not known; one that has gone meanwhile is none."""
    sql = (
        "INSERT INTO rot SELECT id, ?, ?, ? FROM blobs WHERE id = ?"
        " ON CONFLICT (blob) DO UPDATE SET why = excluded.why RETURNING found_ms"
    )
    new = []
    for blob, why in rotten:
        row = transaction.one(sql, now_ms, why, State.FOUND, blob)
        if row and row[0] == now_ms:
            new.append(blob)
    return new


def try_again(transaction: Transaction) -> int:
    """Has those that nobody could mend tried once more. Gives how many."""
    return transaction.run("UPDATE rot SET state = ? WHERE state = ?", State.FOUND, State.LOST)


def settle(transaction: Transaction, blob: int, state: State | None) -> None:
    """What came of it; None where it is whole again."""
    if state is None:
        transaction.run("DELETE FROM rot WHERE blob = ?", blob)
    else:
        transaction.run("UPDATE rot SET state = ? WHERE blob = ?", state, blob)


def damages(reader: Reader, states: tuple[State, ...] = tuple(State), limit: int = 1000) -> list[Damage]:
    """What is known to be damaged, in order of the blobs."""
    marks = ",".join("?" * len(states))
    sql = f"SELECT blob, found_ms, why, state FROM rot WHERE state IN ({marks}) ORDER BY blob LIMIT ?"
    rows = reader.all(sql, *states, limit)
    return [Damage(blob, found_ms, why, State(state)) for blob, found_ms, why, state in rows]


def counts(reader: Reader) -> dict[State, int]:
    """How many blobs are known to be damaged."""
    rows: dict[str, int] = dict(reader.all("SELECT state, count(*) FROM rot GROUP BY state"))
    return {state: rows.get(state.value, 0) for state in State}


async def is_mended(index: AnyIndex, bucket: Bucket, key: str, rotten: Rotten, now_ms: int) -> bool:
    """Writes down what a reader met and waits for it to be mended, where the bucket is kept elsewhere too.

    Gives whether the blob is worth another look.
    """
    log.error("s3.rot blob=%d bucket=%s key=%r: %s", rotten.blob, bucket.name, key, rotten.why)
    if index.one("SELECT 1 FROM rot WHERE blob = ?", rotten.blob) is None:  # who asks again and again costs no commits
        await index.write(partial(write_down, rotten=((rotten.blob, rotten.why),), now_ms=now_ms))
    if HEALED_BY not in bucket.settings:
        return False
    until = time.monotonic() + MENDED_IN_S
    while time.monotonic() < until:
        row = index.one("SELECT state FROM rot WHERE blob = ?", rotten.blob)
        if row is None:
            return True
        if row[0] == State.LOST:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return False
