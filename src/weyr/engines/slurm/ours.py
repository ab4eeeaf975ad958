"""What do our own tasks have of the nodes that were chosen for them, as far as Slurm has begun them?"""

from collections.abc import Callable, Iterable
from pathlib import Path

from weyr.attempt.task_folder import WANTED
from weyr.attempt.testimony import record_or_nothing
from weyr.engines.slurm import submission_folder
from weyr.engines.slurm.answers import JobRow, JobState
from weyr.engines.slurm.site_nodes import Given


def ours(rows: Iterable[JobRow], root: Path, name_of: Callable[[str], str]) -> dict[str, Given]:
    """By Slurm's name of the node. Takes the folder of submissions, and Slurm's name for a node that the scheduler
    chose, "" for one that is in no pool: what nobody chose a node for takes its room as others' jobs do."""
    found: dict[str, Given] = {}
    for row in rows:
        if row.state not in (JobState.RUNNING, JobState.ENDING):
            continue
        members = submission_folder.read(root / submission_folder.key_of(row.comment))
        mine = members["members"] if members else []
        for member in mine if row.index is None else mine[row.index : row.index + 1]:
            body = record_or_nothing(member["folder"], WANTED).get("body", {})
            node = name_of(body["node"]) if body.get("node") else ""
            if node:
                asked = Given(body["cpu"], body["memory_bytes"] or 0, len(body["devices"]))
                found[node] = found.get(node, Given()) + asked
    return found
