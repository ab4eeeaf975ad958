"""`weyr team`: who is of which team, so that budgets and bills can be by team."""

from typing import Annotated

import typer

from weyr.cli.connect import ensured, reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say, table

app = verb_app("Say who is of which team, for budgets and bills.")


@verb(app, "weyr team set vision ann bob", name="set")
def set_team(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(metavar="TEAM", help="Its name.")],
    members: Annotated[list[str], typer.Argument(metavar="PERSON...", help="Everybody who is of it.")],
) -> None:
    """Make a team be these people, none of whom is of another any more.

    What they bring up from now on counts as the cost of the team.
    """
    session: Session = ctx.obj
    client, _ = ensured(session.home, is_auto=True)
    client.call("PUT", f"/v1/teams/{team}", {"members": members})
    say(f"{team} is {', '.join(sorted(set(members)))}.")


@verb(app, "weyr team list", name="list")
def list_teams(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the teams and who is of them."""
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/teams")
    if as_json:
        put_json(answer)
        return
    rows = [[str(each["name"]), ", ".join(each["members"])] for each in answer.get("teams") or []]
    put(table(["team", "members"], rows)) if rows else say("There are no teams.")


@verb(app, "weyr team rm vision", name="rm")
def remove_team(ctx: typer.Context, team: Annotated[str, typer.Argument(metavar="TEAM", help="Its name.")]) -> None:
    """Remove a team; what it has cost stays its cost."""
    session: Session = ctx.obj
    client, _ = ensured(session.home, is_auto=True)
    client.call("PUT", f"/v1/teams/{team}", {"members": []})
    say(f"There is no team {team} any more.")
