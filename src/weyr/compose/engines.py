"""The engines that a stack's tasks may run on, by name. Light: what an engine needs is loaded when it is used."""

from weyr.core.engine import LOCAL_ENGINE, EngineKind
from weyr.engines.ray import ENGINE as RAY
from weyr.engines.slurm.settings import ENGINE as SLURM

ENGINES: dict[str, EngineKind] = {engine.name: engine for engine in (LOCAL_ENGINE, RAY, SLURM)}
