"""Which keys come next in a bucket that is elsewhere? Pages as those of our own, of whatever delimiter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.listing import PAST, Entry, Page
from weyr.gateway.s3.remote.objects import RemoteObject
from weyr.gateway.s3.remote.problems import RemoteAbsent, RemoteProblem
from weyr.gateway.s3.remote.refusals import refused

if TYPE_CHECKING:
    from weyr.gateway.s3.remote.store import Remote  # it loads obstore, and is handed in

LIST_PAGE = 1000


async def page(remote: Remote, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """As `listing.page`, of a bucket that is elsewhere. Raises: S3Error."""
    if limit == 0:
        return Page((), False)
    if delimiter and after.startswith(prefix) and after.endswith(delimiter) and len(after) > len(prefix):
        after += PAST
    try:
        if delimiter in ("", "/"):
            found = await remote.page(prefix, delimiter, after, limit)
            items = [_entry(item) for item in found.items]
            is_truncated = found.is_truncated
        else:
            items = await _folded(remote, prefix, delimiter, after, limit + 1)
            is_truncated, items = len(items) > limit, items[:limit]
    except RemoteAbsent as e:
        # Only a bucket can be absent from its own list.
        raise S3Error("ServiceUnavailable", f"The bucket's own place is not there: {e}") from e
    except RemoteProblem as e:
        raise refused(e) from e
    last = items[-1] if items and is_truncated else ""
    return Page(tuple(items), is_truncated, last if isinstance(last, str) else last.key)


async def _folded(remote: Remote, prefix: str, delimiter: str, after: str, count: int) -> list[Entry | str]:
    """Of any delimiter: what folds into one prefix is jumped over, as it is at home."""
    items: list[Entry | str] = []
    while len(items) < count:
        found = await remote.page(prefix, "", after, LIST_PAGE)
        for item in found.items:
            assert not isinstance(item, str)
            cut = item.key.find(delimiter, len(prefix))
            if cut >= 0:
                common = item.key[: cut + len(delimiter)]
                items.append(common)
                after = common + PAST
                break
            items.append(_entry(item))
            after = item.key
        else:
            if not found.is_truncated:
                break
    return items[:count]


def _entry(item: RemoteObject | str) -> Entry | str:
    return item if isinstance(item, str) else Entry(item.key, item.size, item.etag, item.modified_ms)
