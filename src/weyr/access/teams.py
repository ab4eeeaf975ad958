"""Who is of which team? A person is of one team at most; what they ask for counts as its cost."""

from collections.abc import Collection, Mapping

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME
from weyr.store import access as rows
from weyr.store.database import Database


class Teams:
    """The teams of one data folder. Raises: UserError where a name cannot be one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> Mapping[str, tuple[str, ...]]:
        """The members of each team, by name."""
        with self._db.read() as connection:
            return rows.teams(connection)

    def of(self, member: str) -> str:
        """The team of a person, "" for none."""
        with self._db.read() as connection:
            return rows.team_of(connection, member) if member else ""

    def set(self, team: str, members: Collection[str]) -> None:
        """Makes a team be these people: each leaves the team that they were of. None: there is no such team."""
        if not NAME.fullmatch(team):
            raise UserError(Diagnostic("Not a team's name", f"{team!r} cannot be the name of a team."))
        with self._db.write() as connection:
            rows.put_team(connection, team, members)
