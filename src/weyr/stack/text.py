"""Is this a text at all? What can be said of a file before anything in it is understood."""

from weyr.core.diagnostic import Diagnostic, Place, UserError

SIZE_MAX = 1024 * 1024
"""Bytes. The largest stack known to us has under 30 KiB; a file past this is no stack."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def text_of(data: str | bytes, file: str) -> str:
    """The file's text without a byte order mark. Raises: UserError."""
    raw = _encoded(data, file)
    if len(raw) > SIZE_MAX:
        raise _refused("The file is too large", f"It has {len(raw):,} bytes, and {SIZE_MAX:,} is the most.", file)
    if raw.startswith(_UTF16):
        raise _refused("The file is not UTF-8", "It is written as UTF-16; save it as UTF-8.", file)
    if b"\0" in raw:
        raise _refused("The file is not text", "There are zero bytes in it, so it is no stack file.", file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        detail = f"Byte {e.start} ({raw[e.start]:#04x}) is no part of a UTF-8 text; save the file as UTF-8."
        raise _refused("The file is not UTF-8", detail, file, line) from e
    _refuse_controls(text, file)
    return text


def _encoded(data: str | bytes, file: str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError as e:
        line = data[: e.start].count("\n") + 1
        raise _refused("The file is not UTF-8", "It holds half of a surrogate pair.", file, line) from e


def _refuse_controls(text: str, file: str) -> None:
    # Checked here, since YAML's own reader knows the offset of such a character but not its line.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.isprintable():
            continue
        for character in line:
            if not character.isprintable() and _is_control(character):
                detail = f"The character U+{ord(character):04X} is not allowed in a stack file."
                raise _refused("A control character", detail, file, number)


def _is_control(character: str) -> bool:
    code = ord(character)
    return (code < 0x20 and character not in "\t\r") or 0x7F <= code < 0xA0 or code in (0xFEFF, 0xFFFE, 0xFFFF)


def _refused(summary: str, detail: str, file: str, line: int = 0) -> UserError:
    return UserError(Diagnostic(summary, detail, place=Place(file, line)))
