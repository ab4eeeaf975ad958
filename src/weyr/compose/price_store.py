"""Which prices hold for this data folder? Those that came with Weyr, or the last that were refreshed; and none is lost.

`prices/VERSION/` holds the files of one catalogue, `prices/current` the version that holds. A version that a plan
carries stays readable here for as long as the folder does, so that the plan can be priced again to the same amounts.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.prices import Catalogue, PriceBook

FOLDER, CURRENT = "prices", "current"


def catalogue_at(home: Path) -> Catalogue:
    """The prices that hold here. Raises: UserError where a refreshed version is named and its files are not whole."""
    current = home / FOLDER / CURRENT
    if not current.is_file():
        return Catalogue.shipped()
    version = current.read_text().strip()
    found = catalogue_of(home, version)
    if found is None:
        detail = f"{current} names {version}, and {home / FOLDER / version} does not hold those prices."
        raise UserError(Diagnostic("Prices are missing", detail, suggestion="weyr prices refresh --shipped"))
    return found


class HeldPrices:
    """The prices that hold here, read again once others do: who keeps this open needs no restart after a refresh.

    Where what is named cannot be read, those of before hold on. What is billed keeps the price that it began at: a
    refresh holds for what begins after it.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen = self._named()
        self._held = catalogue_at(home)

    @property
    def catalogue(self) -> Catalogue:
        named = self._named()
        if named != self._seen:
            self._seen = named
            with suppress(UserError):
                self._held = catalogue_at(self._home)
        return self._held

    @property
    def books(self) -> Mapping[str, PriceBook]:
        return self.catalogue.books

    def book(self, name: str) -> PriceBook:
        """The book as it holds now. Raises: UserError, with the nearest name."""
        return self.catalogue.book(name)

    def _named(self) -> str:
        """The version that holds; "" where it is what came with Weyr."""
        try:
            return (self._home / FOLDER / CURRENT).read_text().strip()
        except FileNotFoundError:
            return ""


def catalogue_of(home: Path, version: str) -> Catalogue | None:
    """The prices of that version; None where they are neither shipped nor kept here, or no longer what they were."""
    if version == Catalogue.shipped().version:
        return Catalogue.shipped()
    folder = home / FOLDER / version
    if not version.isalnum() or not folder.is_dir():
        return None
    found = Catalogue.of({file.name: file.read_text() for file in folder.iterdir()})
    return found if found.version == version else None


def keep(home: Path, texts: Mapping[str, str]) -> Catalogue:
    """Writes a catalogue into the folder and lets it hold from now on.

    Promises: whole or not at all; a crash on the way leaves the former prices holding.
    """
    catalogue = Catalogue.of(texts)
    if not (home / FOLDER / catalogue.version).is_dir():
        _written(home / FOLDER, catalogue)
    _let_hold(home / FOLDER, catalogue.version)
    return catalogue


def hold_shipped(home: Path) -> Catalogue:
    """Lets the prices that came with Weyr hold again."""
    (home / FOLDER / CURRENT).unlink(missing_ok=True)
    return Catalogue.shipped()


def _written(folder: Path, catalogue: Catalogue) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    for name, text in catalogue.texts.items():
        (made / name).write_text(text)
    try:
        made.rename(folder / catalogue.version)
    except OSError:
        # Somebody who read the same list was quicker: these are the same files.
        shutil.rmtree(made)
        if not (folder / catalogue.version).is_dir():
            raise


def _let_hold(folder: Path, version: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".current-", dir=folder)
    with os.fdopen(handle, "w") as file:
        file.write(f"{version}\n")
    Path(name).replace(folder / CURRENT)
