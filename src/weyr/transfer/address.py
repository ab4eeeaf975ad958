"""What does a word on the line name: a file, a place in a bucket, or a standard stream?

`lake:train/` is in the bucket that a stack's file calls lake, `s3://NAME/train/` in the bucket that the S3 door calls
NAME, `-` is standard input or output, and everything else is a file. A file with a colon in its name is `./a:b`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME

_OF_STACK = re.compile(rf"({NAME.pattern}):(.*)", re.DOTALL)
KEY_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True)
class Local:
    """A file or a folder. `is_folder` says that it was written as one, with a slash behind."""

    path: Path
    is_folder: bool

    def __str__(self) -> str:
        return f"{self.path}/" if self.is_folder and self.path != Path("/") else str(self.path)


@dataclass(frozen=True, slots=True)
class Remote:
    """A key or a prefix in a bucket; "" is the whole bucket. `is_of_stack`: as a stack's file calls the bucket."""

    bucket: str
    key: str
    is_of_stack: bool = False

    @property
    def is_folder(self) -> bool:
        return self.key == "" or self.key.endswith("/")

    def __str__(self) -> str:
        return f"{self.bucket}:{self.key}" if self.is_of_stack else f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Stream:
    """Standard input, or standard output."""

    def __str__(self) -> str:
        return "-"


Address = Local | Remote | Stream


def address_of(text: str) -> Address:
    """Raises: UserError for an address that cannot be one."""
    if text == "-":
        return Stream()
    if text.startswith("s3://"):
        bucket, _, key = text.removeprefix("s3://").partition("/")
        if not bucket:
            raise bad_address(text, "It names no bucket.")
        return _checked(Remote(bucket, key), text)
    if found := _OF_STACK.fullmatch(text):
        return _checked(Remote(found[1], found[2], is_of_stack=True), text)
    if not text:
        raise bad_address(text, "It is empty.")
    return Local(Path(text), text.endswith("/"))


def remote_of(text: str) -> Remote:
    """An address that must be in a bucket. Raises: UserError."""
    address = address_of(text)
    if not isinstance(address, Remote):
        raise bad_address(text, "This command is about what is in a bucket.")
    return address


def bad_address(text: str, why: str) -> UserError:
    """What to say of an address that names nothing."""
    return UserError(
        Diagnostic(
            "Not an address",
            f"{text!r} is no address. {why} Write lake:train/a.bin for a bucket of the stack, s3://NAME/train/a.bin "
            "for any bucket, - for a standard stream, or a path; a file with a colon in its name is ./a:b.",
            suggestion="weyr cp --help",
        )
    )


def _checked(remote: Remote, text: str) -> Remote:
    try:
        is_long = len(remote.key.encode()) > KEY_BYTES_MAX
    except UnicodeError as e:
        raise bad_address(ascii(text), "S3 knows keys of Unicode only, and this is none.") from e
    if is_long:
        raise bad_address(text[:60] + "…", f"A key has at most {KEY_BYTES_MAX} bytes.")
    return remote
