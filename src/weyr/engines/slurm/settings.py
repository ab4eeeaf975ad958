"""What may be said of a Slurm cluster, and what it cannot do."""

from weyr.core.engine import EngineKind
from weyr.core.powers import CLUSTERED, PLACED, WRAPPED
from weyr.core.schema import Duration, SpecPart, field


class SlurmSettings(SpecPart):
    """A Slurm cluster that this machine can submit to: its words, and what all of its nodes share."""

    folder: str = field(
        "",
        description="A folder that every node has at this path; by default one in the data folder.",
        pattern="^(/|$)",
    )
    partition: str = field("", description="The partition for jobs that keep their nodes; by default Slurm's own.")
    spot_partition: str = field("", description="The partition for jobs with `spot: true`, which may be preempted.")
    account: str = field("", description="The account that jobs are charged to.")
    qos: str = field("", description="The quality of service they get.")
    constraint: str = field("", description="Features that their nodes must have.", examples=["a100&nvlink"])
    python: str = field(
        "", description="The interpreter that has Weyr, at the same path on every node; by default the server's own."
    )
    doors: str = field(
        "",
        description="The host at which nodes reach this server's ports (API, tracking, object store); by default this "
        "machine's loopback, which only tasks on this machine reach.",
        examples=["login1"],
    )
    lease: Duration = field(
        60.0,
        description="How long a task runs on whose node reaches neither slurmctld nor the shared folder, before it "
        "ends itself; so much later than Slurm the loss of a node is believed.",
        ge=1,
    )
    look: Duration = field(
        5.0, description="How often the queue is looked at, for what nobody tells of: nodes that went.", ge=0.2
    )
    settle: Duration = field(
        3.0, description="How long after a job's end its record may take to reach the shared folder.", ge=0
    )


WHOLE = "Slurm gives whole devices; ask for a count, or for a MIG profile that is a type of device there"
POWERS = WRAPPED | PLACED | CLUSTERED | {"accelerators.count", "accelerators.model", "accelerators.profile"}
LACKS = {
    "image": "Slurm starts no containers for Weyr; list its packages under python, or have them on the nodes",
    "python": "Slurm's nodes make environments with the Python that they have; name its path in the setting python",
    "accelerators.share_milli": WHOLE,
    "accelerators.memory_bytes": WHOLE,
    "labels": "Slurm chooses among its nodes by itself; name a pool of them, or features in its setting constraint",
    "bears": "Slurm chooses among its nodes by itself, and knows no taints of Weyr's",
}
NEEDS = {"spot": "spot_partition"}

# Not in the package's __init__: members import that, and would begin by loading pydantic.
ENGINE = EngineKind("slurm", "The nodes of a Slurm cluster.", POWERS, SlurmSettings, LACKS, NEEDS)
