"""What can be asked of a place outside? Put, get, head, list, copy, delete, over obstore.

Memory is bounded: a stream leaves in parts, and of what comes a caller asks for pieces. Acknowledged means what the
place means by it; of a folder of this machine it means on disk, which is seen to here, as obstore's files are not.
"""

import asyncio
import heapq
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.remote.objects import LIST_PAGE, PART_BYTES, PARTS_AT_ONCE, PARTS_MAX, RemoteObject, RemotePage
from weyr.gateway.s3.remote.opening import client_of
from weyr.gateway.s3.remote.place import Place, Scheme
from weyr.gateway.s3.remote.problems import RemoteAbsent, RemoteCannot, RemoteSilent
from weyr.gateway.s3.remote.said import told

if TYPE_CHECKING:
    from obstore import ObjectMeta  # declared for type checkers, absent at run time


class Remote:
    """One place outside. Every method raises RemoteProblem's classes and nothing else of obstore's.

    Takes: `silent_s`, after how long a place that says nothing is silent.
    """

    def __init__(self, place: Place, silent_s: float = 30.0, retries_max: int = 3) -> None:
        self.place = place
        with told(f"opening {place.url}"):
            self._client = client_of(place, silent_s, retries_max)

    @property
    def is_folder(self) -> bool:
        return self.place.scheme is Scheme.FILE

    @property
    def keeps_headers(self) -> bool:
        """Whether content headers and user metadata are kept with an object."""
        return not self.is_folder

    def check(self, key: str) -> None:
        """Raises: RemoteCannot for a key that the place would keep under another name, or not at all.

        obstore drops slashes at both ends, and has no empty or dotted parts and no control characters.
        """
        parts = key.split("/")
        is_odd = any(part in ("", ".", "..") for part in parts) or any(ord(c) < 32 or ord(c) == 127 for c in key)
        if is_odd or (self.is_folder and any(len(part.encode()) > 255 for part in parts)):
            raise RemoteCannot(f"{self.place.url} cannot keep the key {key!r}")

    async def head(self, key: str) -> RemoteObject:
        """Raises: RemoteAbsent, and the others."""
        self.check(key)
        with told(f"head of {key} at {self.place.url}"):
            found = await obstore.get_async(self._client, key, options={"head": True})
            return _object(found.meta, {str(name): str(value) for name, value in found.attributes.items()})

    async def get(self, key: str, start: int, count: int, etag: str = "") -> bytes:
        """Exactly these bytes. Takes: `etag`, to be sure that they are that object's.

        Raises: RemoteChanged where it is another by now; RemoteSilent where fewer bytes come.
        """
        self.check(key)
        if not count:
            return b""
        options: dict[str, Any] = {"range": (start, start + count)}
        if etag:
            options["if_match"] = f'"{etag}"'
        with told(f"{count} bytes of {key} at {self.place.url}"):
            found = await obstore.get_async(self._client, key, options=options)  # type: ignore[arg-type]  # as declared
            data = bytes(await found.bytes_async())
        if len(data) != count:
            raise RemoteSilent(f"{key} at {self.place.url}: {len(data)} bytes came where {count} were asked for")
        return data

    async def put(
        self,
        key: str,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        if_match: str = "",
        if_absent: bool = False,
    ) -> str:
        """A small object in one request; gives its etag. Raises: RemoteChanged where the condition does not hold."""
        self.check(key)
        mode: Any = "create" if if_absent else {"e_tag": f'"{if_match}"'} if if_match else None
        with told(f"put of {key} at {self.place.url}"):
            result = await obstore.put_async(
                self._client, key, data, attributes=self._kept(headers), mode=mode, use_multipart=False
            )
        await self._settle(key)
        return _etag(result["e_tag"])

    async def put_stream(
        self, key: str, pieces: AsyncIterator[bytes], size: int, headers: Mapping[str, str] | None = None
    ) -> str:
        """An object of `size` bytes in parts, at most a few of which are in memory; gives its etag.

        It appears whole or not at all. Raises: what `pieces` raises too.
        """
        self.check(key)
        part = max(PART_BYTES, -(-size // (PARTS_MAX - 1)))
        with told(f"put of {key} at {self.place.url}"):
            result = await obstore.put_async(
                self._client,
                key,
                _in_parts(pieces, part),
                attributes=self._kept(headers),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=PARTS_AT_ONCE if part == PART_BYTES else 1,
            )
        await self._settle(key)
        return _etag(result["e_tag"])

    async def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no problem."""
        self.check(key)
        try:
            with told(f"removal of {key} at {self.place.url}"):
                await obstore.delete_async(self._client, key)
        except RemoteAbsent:
            return
        if self.is_folder:
            await asyncio.to_thread(_sync_names, (self.place.folder / key).parent, self.place.folder)

    async def copy(self, source: str, key: str) -> None:
        """Another object of the same bytes and headers, without their coming here."""
        self.check(source)
        self.check(key)
        with told(f"copy of {source} at {self.place.url}"):
            await obstore.copy_async(self._client, source, key)
        await self._settle(key)

    async def page(self, prefix: str = "", delimiter: str = "", after: str = "", limit: int = LIST_PAGE) -> RemotePage:
        """What comes behind `after`, in order of the keys' bytes. Takes: any prefix, and "/" or "" as delimiter.

        With a delimiter the folder's names are fetched whole; without one nothing but the page is kept.
        """
        with told(f"list of {prefix!r} at {self.place.url}"):
            if delimiter:
                items = await self._folder(prefix, after)
            elif self.is_folder:
                items = await self._smallest(prefix, after, limit + 1)
            else:
                items = await self._in_order(prefix, after, limit + 1)
        return RemotePage(tuple(items[:limit]), len(items) > limit)

    async def _folder(self, prefix: str, after: str) -> list[RemoteObject | str]:
        folder = prefix.rpartition("/")[0]
        found = await obstore.list_with_delimiter_async(self._client, folder or None)
        items: list[RemoteObject | str] = [f"{name}/" for name in found["common_prefixes"]]
        items += [_object(meta) for meta in found["objects"]]
        chosen = [item for item in items if _key(item).startswith(prefix) and _key(item) > after]
        return sorted(chosen, key=lambda item: _key(item).encode())

    async def _smallest(self, prefix: str, after: str, count: int) -> list[RemoteObject | str]:
        """Of a folder, whose files come in no order."""
        found: list[RemoteObject] = []
        async for chunk in obstore.list(self._client, prefix.rpartition("/")[0] or None, chunk_size=LIST_PAGE):
            fresh = [_object(m) for m in chunk if m["path"].startswith(prefix) and m["path"] > after]
            found = heapq.nsmallest(count, [*found, *fresh], key=lambda entry: entry.key.encode())
        return list(found)

    async def _in_order(self, prefix: str, after: str, count: int) -> list[RemoteObject | str]:
        found: list[RemoteObject | str] = []
        # The beginning of the prefix is skipped at the place; obstore lists whole folders only.
        offset = max(after, _just_before(prefix)) or None
        folder = prefix.rpartition("/")[0] or None
        async for chunk in obstore.list(self._client, folder, offset=offset, chunk_size=min(count, LIST_PAGE)):
            for meta in chunk:
                if meta["path"].startswith(prefix) and meta["path"] > after:
                    found.append(_object(meta))
                elif meta["path"] > prefix and not meta["path"].startswith(prefix):
                    return found
            if len(found) >= count:
                return found
        return found

    async def reach(self) -> None:
        """Asks the place for one name, to see whether it answers. Raises: RemoteProblem."""
        with told(f"asking {self.place.url}"):
            async for _ in obstore.list(self._client, chunk_size=1):
                return

    def _kept(self, headers: Mapping[str, str] | None) -> dict[str, str] | None:
        return dict(headers) if headers and self.keeps_headers else None

    async def _settle(self, key: str) -> None:
        """A file that obstore wrote has its name; before that counts, bytes and names are made durable."""
        if self.is_folder:
            await asyncio.to_thread(_sync_file, self.place.folder / key, self.place.folder)


def _just_before(prefix: str) -> str:
    """A key before all that begin with `prefix`, and behind nearly all that do not."""
    if not prefix or prefix.endswith("/"):
        return ""
    return f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}" if ord(prefix[-1]) > 33 else ""


def _sync_file(path: Path, root: Path) -> None:
    with told(f"syncing {path}"):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_names(path.parent, root)


def _sync_names(folder: Path, root: Path) -> None:
    while folder != root.parent:
        if folder.exists():  # a neighbour's removal may have taken an empty folder along
            sync_folder(folder)
        folder = folder.parent


def _key(item: RemoteObject | str) -> str:
    return item if isinstance(item, str) else item.key


def _object(meta: "ObjectMeta", headers: Mapping[str, str] | None = None) -> RemoteObject:
    modified_ms = int(meta["last_modified"].timestamp() * 1000)
    return RemoteObject(meta["path"], meta["size"], _etag(meta["e_tag"]), modified_ms, headers or {})


def _etag(text: str | None) -> str:
    return (text or "").removeprefix("W/").strip('"')


async def _in_parts(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of about a part: each piece crosses into obstore once."""
    waiting: list[bytes] = []
    count = 0
    async for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= size:
            yield b"".join(waiting)
            waiting, count = [], 0
    if waiting:
        yield b"".join(waiting)
