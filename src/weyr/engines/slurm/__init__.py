"""slurm: tasks as jobs of a Slurm cluster."""

from weyr.core.engine import EngineKind
from weyr.engines.slurm.settings import LACKS, SlurmSettings

ENGINE = EngineKind("slurm", "The nodes of a Slurm cluster.", SlurmSettings, LACKS)
