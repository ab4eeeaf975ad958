"""What may be said of a Ray cluster, and what it cannot do."""

from weyr.core.powers import CLUSTERED, PLACED, WRAPPED
from weyr.core.schema import Duration, SpecPart, field


class RaySettings(SpecPart):
    """A Ray cluster that runs already, and how its nodes find Weyr."""

    address: str = field(
        "auto",
        description="Where its head listens; auto: the cluster that this machine is a node of.",
        examples=["10.0.0.7:6379"],
        min_length=1,
    )
    python: str = field(
        "", description="The interpreter that has Weyr, at the same path on every node; by default the server's own."
    )
    folder: str = field(
        "/var/tmp/weyr", description="Where tasks keep their files on a node, such as checkpoints.", pattern="^/"
    )
    lease: Duration = field(
        60.0, description="How long a task runs on that has lost its cluster, before it ends itself.", ge=1
    )


DEVICES = frozenset({"accelerators.count", "accelerators.share_milli", "accelerators.model"})
POWERS = WRAPPED | PLACED | CLUSTERED | DEVICES
LACKS = {
    "image": "Ray's nodes start no containers for Weyr; list its packages under python, or have them on the nodes",
    "python": "Ray's nodes make environments with the Python that they have; name its path in the setting python",
    "accelerators.profile": "Ray knows whole devices and shares of them, but no MIG profiles",
    "accelerators.memory_bytes": "Ray cannot hold a task to so much of a device's memory; ask for a share",
    "labels": "Ray chooses among its nodes by itself; name a pool of them",
    "bears": "Ray chooses among its nodes by itself, and knows no taints of Weyr's",
}
