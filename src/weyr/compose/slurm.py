"""How is a Slurm cluster opened?"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from weyr.attempt.orders import CredentialIssuer, SecretReader
from weyr.attempt.tasks import Tasks
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.engine import On
from weyr.core.schema import from_plain
from weyr.engines.slurm.settings import SlurmSettings
from weyr.engines.slurm.tasks import SlurmTasks
from weyr.store.home import Home

COMMANDS = ("sbatch", "squeue", "scancel")
PLACE = "place"
"""Holds the folder that the cluster's tasks are kept in: a setting that changes must not lose sight of what runs."""


def slurm_opener(
    home: Home,
    credentials: CredentialIssuer,
    secrets: SecretReader,
    surroundings: Callable[[], Mapping[str, str]],
    now: Callable[[], float],
) -> Callable[[Path, Callable[[], On]], Tasks]:
    """Opens a cluster, given its folder in the data folder and who gives its settings."""

    def opened(folder: Path, on: Callable[[], On]) -> Tasks:
        missing = [command for command in COMMANDS if shutil.which(command) is None]
        if missing and not (folder / PLACE).exists():
            # Who has used it before starts all the same: what runs there is then not known, and says why.
            detail = f"{', '.join(missing)} cannot be found, and on: slurm submits with them."
            raise UserError(Diagnostic("Slurm is not installed here", detail, suggestion="apt install slurm-client"))

        def settings() -> SlurmSettings:
            found: SlurmSettings = from_plain(SlurmSettings, on().settings)
            return found

        return SlurmTasks(
            folder=_place(folder, settings().folder),
            settings=settings,
            sockets=home.sockets,
            cache=home.cache,
            credentials=credentials,
            secrets=secrets,
            surroundings=surroundings,
            now=now,
            events=home.sockets / "doorbell.sock",
        )

    return opened


def _place(folder: Path, wanted: str) -> Path:
    """Where its tasks are: where they have been, as long as there are any; else where the settings say."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = folder / PLACE
    kept = Path(note.read_text()) if note.exists() else None
    if kept is not None and any(not path.name.startswith(".") for path in _listed(kept / "tasks")):
        return kept
    place = Path(wanted) if wanted else folder
    note.write_text(str(place))
    return place


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
