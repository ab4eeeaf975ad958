"""What does a text that is not YAML need? Sentences for people in place of the reader's own words."""

from collections.abc import Iterator

import yaml

from weyr.core.diagnostic import Diagnostic, Place


def not_yaml(error: yaml.YAMLError, text: str, file: str) -> Diagnostic:
    """The one problem that the reader stopped at: YAML that is broken has no tree to look for more in."""
    said = str(getattr(error, "problem", None) or error)
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    if any(words in said for words in _BEGUN_EARLIER):
        marks.reverse()
    mark = next((mark for mark in marks if mark), None)
    line = min(mark.line, text.rstrip("\n").count("\n")) + 1 if mark else 0
    place = Place(file, line, mark.column + 1 if mark and mark.line < line else 0)
    for number, written in _around(text, line):
        if "\t" in written[: len(written) - len(written.lstrip())]:
            detail = "This line is indented with a tab; YAML takes only spaces."
            return _at(Place(file, number, written.index("\t") + 1), "A tab in the indentation", detail)
    for words, sentence in _SYNTAX.items():
        if words in said:
            return _at(place, "The file is not YAML", sentence)
    return _at(place, "The file is not YAML", f"It cannot be read from here on: {said}.")


def _around(text: str, line: int) -> Iterator[tuple[int, str]]:
    lines = text.splitlines()
    for number in (line, line - 1):
        if 0 < number <= len(lines):
            yield number, lines[number - 1]


_BEGUN_EARLIER = ("could not find expected ':'", "found unexpected end of stream")
"""Here the place to look at is where the thing began, not where the reader gave up."""

_SYNTAX = {
    "mapping values are not allowed": "A second `: ` stands where none can; indent the line, or quote the text.",
    "could not find expected ':'": "This line is no `key: value`; a colon is missing, or quotes around the text.",
    "did not find expected key": "A key was expected here; look at the indentation and for an open quote or bracket.",
    "expected <block end>": "A key was expected here; look at the indentation and for an open quote or bracket.",
    "expected the node content": "A value was expected here, before this sign.",
    "did not find expected '-' indicator": "This line ends the list above it; indent it like the list or less.",
    "did not find expected ',' or": "A comma or a closing bracket is missing before this.",
    "did not find expected node content": "A value was expected here, before this sign.",
    "found unexpected end of stream": "A quote that was opened is never closed.",
    "found character that cannot start any token": "A value cannot begin with this character; put it in quotes.",
    "found unknown escape character": 'After a backslash in "double quotes" this has no meaning; use single quotes.',
    "expected <document start>": "Only one value can stand at the top; this looks like the rest of a broken line.",
    "did not find expected <document start>": "This line belongs to nothing above it; look at its indentation.",
    "control characters are not allowed": "There is a control character in the file.",
}


def _at(place: Place, summary: str, detail: str) -> Diagnostic:
    return Diagnostic(summary, detail, place=place)
