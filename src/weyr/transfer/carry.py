"""How are many things copied? The small ones side by side; then each large one, its parts side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weyr.core.diagnostic import UserError, WeyrError
from weyr.transfer import calls
from weyr.transfer.address import Local, Remote
from weyr.transfer.calls import Found
from weyr.transfer.client import S3Refused, Stopped, Unreachable
from weyr.transfer.crew import PART_BYTES, Crew, spans_of
from weyr.transfer.download import download
from weyr.transfer.entries import Entry, inside
from weyr.transfer.upload import upload

COPY_BYTES_MAX = 5 * 1024**3
"""S3 copies no more than this in one request."""
COPY_PART_BYTES = 1024**3
HOPELESS = frozenset({
    "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "NoSuchBucket", "PermanentRedirect",
    "RequestTimeTooSkewed", "SignatureDoesNotMatch",
})  # fmt: skip
"""What one object is answered with for these reasons, the next one will be too."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing to copy, from where to where."""

    entry: Entry
    source: Local | Remote
    target: Local | Remote


def errand_of(entry: Entry, source: Local | Remote, target: Local | Remote) -> Errand:
    """The errand for an entry below `source`, to the same place below `target`."""
    return Errand(entry, _below(source, entry.path), _below(target, entry.path))


def carry_all(crew: Crew, errands: Sequence[Errand]) -> None:
    """Copies them; what fails is in the tally, and the others go on.

    Raises: S3Refused where all would be refused alike, Unreachable, Stopped.
    """
    crew.tally.expect(sum(errand.entry.size for errand in errands))
    one = _guarded(crew, _carry)
    large = [errand for errand in errands if errand.entry.size > PART_BYTES]
    small = [errand for errand in errands if errand.entry.size <= PART_BYTES]
    for _ in crew.each(one, small):
        pass
    for errand in large:
        one(errand)


def delete_all(crew: Crew, target: Local | Remote, paths: Sequence[str]) -> None:
    """Deletes these below the target. Failures are in the tally."""
    if isinstance(target, Local):
        for path in paths:
            file = inside(target.path, path)
            above = file.relative_to(target.path).parents
            if any((target.path / folder).is_symlink() for folder in above if folder != Path()):
                crew.tally.has_failed(str(file), "it lies behind a link, and what is there is not this folder's")
                continue
            try:
                file.unlink()
                crew.tally.was_deleted(1)
            except OSError as e:
                crew.tally.has_failed(str(file), e.strerror or str(e))
        return
    delete_keys(crew, target.bucket, [target.key + path for path in paths])


def delete_keys(crew: Crew, bucket: str, keys: Sequence[str]) -> None:
    """Deletes these keys, many at once. Raises: S3Refused where the bucket is not to be written."""
    groups = [keys[at : at + calls.DELETED_AT_ONCE] for at in range(0, len(keys), calls.DELETED_AT_ONCE)]
    for group, failed in zip(
        groups, crew.each(lambda group: calls.delete_many(crew.client, bucket, group), groups), strict=True
    ):
        crew.tally.was_deleted(len(group) - len(failed))
        for key, why in failed:
            crew.tally.has_failed(f"s3://{bucket}/{key}", why)


def copy_object(crew: Crew, source: Remote, entry: Entry, target: Remote) -> None:
    """Copies an object at the server; the bytes do not come here."""
    found = source.bucket, Found(source.key, entry.size, entry.modified_s, entry.etag)
    if entry.size <= COPY_BYTES_MAX:
        calls.copy(crew.client, found, target.bucket, target.key)
        crew.tally.passed(entry.size)
        return
    _, headers = calls.head(crew.client, source.bucket, source.key)
    kept = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-") or name == "content-type"}
    place = target.bucket, target.key, calls.begin_upload(crew.client, target.bucket, target.key, kept)

    def part(span: tuple[int, int, int]) -> tuple[int, str, str]:
        number, offset, size = span
        etag = calls.copy_part(crew.client, found, place, number, (offset, offset + size - 1))
        crew.tally.passed(size)
        return number, etag, ""

    try:
        sent = list(crew.each(part, spans_of(entry.size, COPY_PART_BYTES)))
        calls.complete_upload(crew.client, place, sent)
    except WeyrError:
        calls.abort_upload(crew.client, place)
        raise


def _carry(crew: Crew, errand: Errand) -> bool:
    match errand.source, errand.target:
        case Local(path=path), Remote() as target:
            return upload(crew, path, target)
        case Remote() as source, Local(path=path):
            inside(path, errand.entry.path)  # refuses a key that would lie outside of the folder
            found = Found(source.key, errand.entry.size, errand.entry.modified_s, errand.entry.etag)
            return download(crew, source, found, path)
        case Remote() as source, Remote() as target:
            copy_object(crew, source, errand.entry, target)
            return True
        case _:
            raise AssertionError("the verbs refuse to copy from here to here")


def _guarded(crew: Crew, work: Callable[[Crew, Errand], bool]) -> Callable[[Errand], None]:
    def one(errand: Errand) -> None:
        try:
            crew.tally.was_copied(str(errand.target), work(crew, errand))
        except (Stopped, Unreachable):
            raise
        except S3Refused as e:
            if e.code in HOPELESS:
                raise
            crew.tally.has_failed(str(errand.source), str(e))
        except UserError as e:
            crew.tally.has_failed(str(errand.source), e.diagnostics[0].detail)
        except WeyrError as e:
            crew.tally.has_failed(str(errand.source), str(e))

    return one


def _below(place: Local | Remote, path: str) -> Local | Remote:
    if isinstance(place, Remote):
        return Remote(place.bucket, place.key + path)
    return Local(place.path / path, is_folder=False)
