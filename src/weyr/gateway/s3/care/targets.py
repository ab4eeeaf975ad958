"""Where does an export go? Into a folder, which goes on where it was cut off, or into one tar file."""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.care.export import MANIFEST

UNFINISHED = f"{MANIFEST}.unfinished"


class FolderTarget:
    """A folder. What is there of an export before is kept where it is the same version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        self._lines: dict[tuple[str, str], dict[str, Any]] = {}
        for name in (MANIFEST, UNFINISHED):
            if (folder / name).exists():
                self._take(folder / name)
        self._notes = (folder / UNFINISHED).open("a", encoding="utf-8")
        self._now: list[dict[str, Any]] = []

    def _take(self, path: Path) -> None:
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue  # the last line of one that was cut off
            if "key" in line and "left_out" not in line:
                self._lines[line["key"], line["version"]] = line

    def known(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Those whose file is as long as it should be."""
        known = {}
        for name, line in self._lines.items():
            path = self._folder / "objects" / line["file"] if "file" in line else None
            if path is None or (path.is_file() and path.stat().st_size == line["size"]):
                known[name] = line
        return known

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
        self._now.append(line)
        self._notes.write(json.dumps(line, ensure_ascii=False) + "\n")

    def end(self, head: dict[str, Any]) -> None:
        self._notes.close()
        beside = self._folder / f"{MANIFEST}.new"
        with beside.open("w", encoding="utf-8") as file:
            for line in (head, *self._now):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        os.sync()  # one for all files: an fsync of each would take as long as the copying
        os.replace(beside, self._folder / MANIFEST)
        (self._folder / UNFINISHED).unlink()
        stays = {line.get("file") for line in self._now}
        for line in self._lines.values():
            if "file" in line and line["file"] not in stays:
                (self._folder / "objects" / line["file"]).unlink(missing_ok=True)  # of a version that is gone
        sync_folder(self._folder)


class TarTarget:
    """One tar file, whose last member is the manifest. One that was cut off begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.unfinished")
        self._tar = tarfile.open(self._beside, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  `end` closes it
        self._lines: list[dict[str, Any]] = []

    def known(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {}

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
        self._lines.append(line)

    def end(self, head: dict[str, Any]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (head, *self._lines)).encode()
        self._tar.addfile(_member(MANIFEST, len(text), 0), io.BytesIO(text))
        self._tar.close()
        with self._beside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self._beside, self._path)
        sync_folder(self._path.parent)


def _member(name: str, size: int, modified_s: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(modified_s), 0o600
    return member
