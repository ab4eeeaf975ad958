"""How is a provider's bill opened? CSV, packed or not, and Parquet; a report in parts is a folder of them."""

import csv
import gzip
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from weyr.cli.bar import bar
from weyr.cli.tables import extra
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.bills.bill import Bill, Dialect, dialect_of, read
from weyr.ledger.bills.values import Row

GZIP = b"\x1f\x8b"
ENDINGS = (".csv", ".csv.gz", ".parquet")
FIELD_MAX = 1 << 20
"""A field of a bill is a text of tags at most; the standard's own bound is 128 KiB."""
Tell = Callable[[int, int], None]


def read_bill(path: Path, provider: str = "") -> Bill:
    """The whole bill, with a bar that says how far it is. Raises: UserError."""
    files = _files(path)
    bill = Bill("", provider)
    with bar("Reading the bill") as tell:
        total, before = sum(file.stat().st_size for file in files), 0
        for file in files:
            with _opened(file, partial(_further, tell, before, total)) as (columns, rows):
                dialect = dialect_of(columns, file.name)
                bill.form = dialect.name
                read(dialect, _named(dialect, columns, rows), file.name, bill)
            before += file.stat().st_size
    if bill.others and not provider:
        detail = f"{path} has rows of {', '.join(sorted({bill.provider, *bill.others}))}: the journal owes each apart."
        raise UserError(Diagnostic("A bill of several", detail, suggestion=f"--provider {bill.provider}"))
    if not bill.rows:
        others = f" It has rows of {', '.join(sorted(bill.others))}." if bill.others else ""
        raise UserError(Diagnostic("Nothing on the bill", f"{path} has no row of {provider or 'anybody'}.{others}"))
    return bill


def _further(tell: Tell, before: int, total: int, done: int, _of: int) -> None:
    tell(before + done, total)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.name.lower().endswith(ENDINGS))
        if found:
            _are_parts(found)
            return found
        raise UserError(Diagnostic("No bill there", f"In {path} no file ends in {', '.join(ENDINGS)}."))
    if not path.name.lower().endswith(ENDINGS):
        raise UserError(Diagnostic("Unknown format of a bill", f"{path.name} ends in none of {', '.join(ENDINGS)}."))
    if not path.is_file():
        raise UserError(Diagnostic("No bill there", f"{path} is no file."))
    return [path]


def _are_parts(files: list[Path]) -> None:
    """Raises: UserError where a file is there twice: all that is in it would be owed twice."""
    first, twice = dict[str, Path](), list[Diagnostic]()
    for file in files:
        with file.open("rb") as source:
            one = first.setdefault(hashlib.file_digest(source, "sha256").hexdigest(), file)
        if one != file:
            twice.append(Diagnostic("A part twice", f"{file} is the same as {one}: each part counts once."))
    if twice:
        raise UserError(*twice)


@contextmanager
def _opened(path: Path, tell: Tell) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The columns of a file, and its rows as texts."""
    try:
        if path.name.lower().endswith(".parquet"):
            yield _parquet(path, tell)
            return
        with path.open("rb") as packed:
            # By what it begins with: browsers unpack what they load, and leave it its name.
            is_packed = packed.read(len(GZIP)) == GZIP
            packed.seek(0)
            with _text(gzip.open(packed) if is_packed else packed) as source:
                csv.field_size_limit(FIELD_MAX)
                rows = _told(csv.reader(source), packed, path.stat().st_size, tell)
                yield next(rows, []), rows
    except UnicodeDecodeError as e:
        raise UserError(Diagnostic("The bill cannot be read", f"{path} is no text in UTF-8.")) from e
    except (OSError, EOFError, csv.Error) as e:
        raise UserError(Diagnostic("The bill cannot be read", f"{path}: {e}.")) from e


def _text(source: Any) -> IO[str]:
    return io.TextIOWrapper(source, encoding="utf-8-sig", newline="")


def _told(rows: Iterator[list[str]], packed: IO[bytes], size: int, tell: Tell) -> Iterator[list[str]]:
    for number, row in enumerate(rows):
        if number % 2000 == 0:
            tell(packed.tell(), size)
        yield row


def _parquet(path: Path, tell: Tell) -> tuple[list[str], Iterator[list[str]]]:
    pyarrow, parquet = extra("pyarrow"), extra("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except pyarrow.ArrowException as e:
        raise UserError(Diagnostic("The bill cannot be read", f"{path}: {e}.")) from e
    size, total = path.stat().st_size, max(1, file.metadata.num_rows)

    def rows() -> Iterator[list[str]]:
        done = 0
        for batch in file.iter_batches(batch_size=2000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield [_as_text(value) for value in row]
            done += batch.num_rows
            tell(size * done // total, size)

    return list(file.schema_arrow.names), rows()


def _as_text(value: Any) -> str:
    """A value as CSV would have it; a map is a JSON object, and a moment without a zone is of UTC."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, list | dict):
        return json.dumps(dict(value) if isinstance(value, list) else value, default=str)
    return value if isinstance(value, str) else str(value)


def _named(dialect: Dialect, columns: list[str], rows: Iterator[list[str]]) -> Iterator[Row]:
    """Rows by the names of their columns; a row that is too short lacks what it does not have."""
    names = [sys.intern(dialect.column(name)) for name in columns]
    return (dict(zip(names, row, strict=False)) for row in rows)
