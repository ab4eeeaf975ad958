"""Under which file name is a key exported? One that a person can read, and that never leaves the folder.

A key's parts between slashes become folders and a file. What would not survive as it is, is written as `%` and two
hexadecimal digits: control characters, `%` itself, a backslash, and parts that are empty or only dots. What cannot be
told apart from another file, or is too long, gets a name made of its digest, `%~` in front: `a` beside `a/b`, keys that
differ in case or in how an accent is written only. The manifest says which key each file is.
"""

import hashlib
import json
import unicodedata

PART_BYTES_MAX = 200
PATH_BYTES_MAX = 1024
"""Of 4,096 that Linux allows for a whole path, and 255 for a part."""
_KEPT = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '%\\/:*?"<>|')


class Names:
    """The file names of one export; keys are to be given in order.

    Promises: no two keys get the same name, whatever the file system holds for the same.
    """

    def __init__(self) -> None:
        self._files: set[bytes] = set()
        self._folders: set[bytes] = set()

    def of(self, key: str, version: str, is_folder_too: bool) -> str:
        """A relative path with forward slashes. Takes: `version`, "" for the current one; `is_folder_too`, whether
        other keys begin with this one and a slash."""
        path = readable(key) + (f"%@{_part(version)}" if version else "")
        if (is_folder_too and not version) or not self._fits(path):
            path = f"%~{hashlib.sha256(json.dumps([key, version]).encode()).hexdigest()[:40]}"
        self._take(path)
        return path

    def _fits(self, path: str) -> bool:
        parts = path.split("/")
        if len(path.encode()) > PATH_BYTES_MAX or any(len(part.encode()) > PART_BYTES_MAX for part in parts):
            return False
        above = {_folded("/".join(parts[:count])) for count in range(1, len(parts))}
        folded = _folded(path)
        return folded not in self._files and folded not in self._folders and self._files.isdisjoint(above)

    def _take(self, path: str) -> None:
        parts = path.split("/")
        self._files.add(_folded(path))
        self._folders.update(_folded("/".join(parts[:count])) for count in range(1, len(parts)))


def readable(key: str) -> str:
    """A key as a path, as far as it can be read."""
    return "/".join(_part(part) for part in key.split("/"))


def _part(part: str) -> str:
    if part in ("", ".", ".."):
        return "%2E" * len(part) or "%00"
    return "".join(_letter(letter) for letter in part)


def _letter(letter: str) -> str:
    if letter in _KEPT or (letter > "\x7f" and letter.isprintable()):
        return letter
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))


def _folded(path: str) -> bytes:
    """What file systems that know no case, or no two ways to write an accent, take for the same."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).digest()
