"""Which kinds are there? One line for each; nothing heavier than their descriptors is imported here."""

from weyr.core.kind import AnyKind, Kinds
from weyr.kinds.compute.dev import KIND as DEV
from weyr.kinds.compute.function import KIND as FUNCTION
from weyr.kinds.compute.job import KIND as JOB
from weyr.kinds.compute.pool import KIND as POOL
from weyr.kinds.compute.queue import KIND as QUEUE
from weyr.kinds.compute.service import KIND as SERVICE
from weyr.kinds.cost.budget import KIND as BUDGET
from weyr.kinds.cost.commitment import KIND as COMMITMENT
from weyr.kinds.ml.endpoint import KIND as ENDPOINT
from weyr.kinds.ml.endpoint.engines import ENGINES
from weyr.kinds.ml.model import KIND as MODEL
from weyr.kinds.security.secret import KIND as SECRET
from weyr.kinds.storage.bucket import KIND as BUCKET

_ALL: tuple[AnyKind, ...] = (
    BUDGET, COMMITMENT, SECRET, BUCKET, POOL, QUEUE, JOB, SERVICE, FUNCTION, DEV, MODEL, ENDPOINT,
)  # fmt: skip
KINDS: Kinds = {kind.name: kind for kind in _ALL}

ENGINE_METRICS = {name: (engine.metrics, engine.metrics_port) for name, engine in ENGINES.items()}
"""Where known engines say their metrics: a path, and at which of their ports, the first being 1."""
