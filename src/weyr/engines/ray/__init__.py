"""ray: tasks on the nodes of a Ray cluster."""

from weyr.core.engine import EngineKind
from weyr.engines.ray.settings import LACKS, POWERS, RaySettings

ENGINE = EngineKind("ray", "The nodes of a Ray cluster.", POWERS, RaySettings, LACKS)
