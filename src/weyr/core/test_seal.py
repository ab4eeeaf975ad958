"""Does a seal tell which files are no longer those that were registered?"""

import pytest

from weyr.core.seal import NAMED_MAX, ListedFile, changed_since, seal_of

FILES = [ListedFile("MLmodel", 10, '"a"'), ListedFile("parts/w.bin", 3_000_000, '"b"')]
CHANGES = {
    "nothing": (list(reversed(FILES)), ""),
    "bytes of the same length": ([FILES[0], ListedFile("parts/w.bin", 3_000_000, '"c"')], "parts/w.bin changed"),
    "one more": ([*FILES, ListedFile("evil.py", 1, '"d"')], "evil.py changed"),
    "one fewer": (FILES[:1], "1 file is gone"),
    "another name": ([FILES[0], ListedFile("w.bin", 3_000_000, '"b"')], "w.bin changed"),
    "all gone": ([], "2 files are gone"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_named(change: str) -> None:
    """Whoever is refused must know which file to look at."""
    now, said = CHANGES[change]
    assert changed_since(seal_of(FILES), now) == said


def test_a_seal_fits_among_a_programs_arguments_however_many_files_there_are() -> None:
    """Then the files are not named, and a change is seen all the same."""
    many = [ListedFile(f"{number}.bin", 1, '"a"') for number in range(NAMED_MAX + 1)]
    assert len(seal_of(many[:NAMED_MAX])) < 2000
    assert len(seal_of(many)) == 64
    assert changed_since(seal_of(many), many[1:]) == "its files changed"
