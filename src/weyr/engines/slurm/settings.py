"""What does a site say about its Slurm? Names that only it knows, "" where its default will do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """Where jobs go. `partition` takes those that must not be preempted, `spot_partition` those with `spot: true`.

    `account`, `qos` and `constraint` are what `sbatch` calls so. `python` is an interpreter with weyr in it that every
    node has at this path.
    """

    partition: str = ""
    spot_partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    python: str = ""
