"""Where does an export go? Into a folder, which goes on where it was cut off, or into one tar file.

The manifest is written line by line beside and gets its name at the end, so that memory holds no line of it: of an
export that is gone on with only where each line is.
"""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.care.export import MANIFEST

UNFINISHED = f"{MANIFEST}.unfinished"
BEFORE = f"{MANIFEST}.before"


@dataclass(frozen=True, slots=True)
class _Before:
    """A line that an export wrote before: where it is, and what it says of the file."""

    source: Path
    at: int
    etag: str
    file: str
    size: int


class FolderTarget:
    """A folder. What is there of an export before is kept where it is the same version."""

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        self._folder = folder
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        if (folder / UNFINISHED).exists():
            # It may be cut off again: what it knew is kept until the end.
            with (folder / UNFINISHED).open("rb") as cut, (folder / BEFORE).open("ab") as before:
                shutil.copyfileobj(cut, before)
                before.write(b"\n")
        self._before: dict[tuple[str, str], _Before] = {}
        for name in (MANIFEST, BEFORE):
            if (folder / name).exists():
                self._take(folder / name)
        self._written: set[int] = set()
        self._notes = (folder / UNFINISHED).open("wb")
        self._notes.write(_text(head))

    def _take(self, path: Path) -> None:
        at = 0
        with path.open("rb") as file:
            for text in file:
                begun, at = at, at + len(text)
                try:
                    line = json.loads(text)
                except ValueError:
                    continue  # the last line of one that was cut off
                if "key" in line and "left_out" not in line:
                    before = _Before(path, begun, line["etag"], line.get("file", ""), line["size"])
                    self._before[line["key"], line["version"]] = before

    def has(self, key: str, version: str, etag: str, file: str) -> bool:
        before = self._before.get((key, version))
        if before is None or (before.etag, before.file) != (etag, file):
            return False
        path = self._folder / "objects" / file
        if file and not (path.is_file() and path.stat().st_size == before.size):
            return False
        with before.source.open("rb") as source:
            source.seek(before.at)
            self._notes.write(source.readline().rstrip(b"\n") + b"\n")
        self._noted(key, version, file)
        return True

    def add(self, name: str, size: int, modified_s: float, pieces: Iterator[bytes]) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._folder / "arriving"
        with beside.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        os.utime(beside, (modified_s, modified_s))
        os.replace(beside, path)

    def note(self, line: dict[str, Any]) -> None:
        self._notes.write(_text(line))
        self._noted(line["key"], line["version"], line.get("file", ""))

    def end(self) -> None:
        self._notes.close()
        os.sync()  # one for all files: an fsync of each would take as long as the copying
        os.replace(self._folder / UNFINISHED, self._folder / MANIFEST)
        (self._folder / BEFORE).unlink(missing_ok=True)
        for gone in self._before.values():
            if gone.file and hash(gone.file) not in self._written:
                (self._folder / "objects" / gone.file).unlink(missing_ok=True)
        (self._folder / "arriving").unlink(missing_ok=True)
        sync_folder(self._folder)

    def _noted(self, key: str, version: str, file: str) -> None:
        self._before.pop((key, version), None)
        self._written.add(hash(file))


class TarTarget:
    """One tar file, whose last member is the manifest. One that was cut off begins anew. Python remembers each member
    until the end, about a KiB."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.unfinished")
        self._tar = tarfile.open(self._beside, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  `end` closes it
        self._notes_path = path.with_name(f"{path.name}.manifest")
        self._notes = self._notes_path.open("wb+")
        self._notes.write(_text(head))

    def has(self, key: str, version: str, etag: str, file: str) -> bool:
        return False

    def add(self, name: str, size: int, modified_s: float, pieces: Iterator[bytes]) -> None:
        # What is damaged shows while it is read, and a member cannot be taken back: it is read to its end first.
        beside = self._path.with_name(f"{self._path.name}.arriving")
        try:
            with beside.open("wb+") as file:
                for piece in pieces:
                    file.write(piece)
                file.seek(0)
                self._tar.addfile(_member(name, size, modified_s), file)
        finally:
            beside.unlink(missing_ok=True)

    def note(self, line: dict[str, Any]) -> None:
        self._notes.write(_text(line))

    def end(self) -> None:
        size = self._notes.tell()
        self._notes.seek(0)
        self._tar.addfile(_member(MANIFEST, size, 0), self._notes)
        self._tar.close()
        self._notes.close()
        self._notes_path.unlink()
        with self._beside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self._beside, self._path)
        sync_folder(self._path.parent)


def _member(name: str, size: int, modified_s: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(modified_s), 0o600
    return member


def _text(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
