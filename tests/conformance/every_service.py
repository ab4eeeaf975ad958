"""Every capability beside tasks, of every engine: what the common suite runs over."""

from collections.abc import Callable, Mapping

from function_runners import FUNCTION_RUNNERS
from model_registries import MODEL_REGISTRIES
from notifiers import NOTIFIERS
from object_stores import OBJECT_STORES
from secret_stores import SECRET_STORES
from services import Service
from traffic_routers import TRAFFIC_ROUTERS

from weyr.core.capability import Capability

SERVICES: Mapping[Capability, Mapping[str, Callable[[], Service]]] = {
    Capability.OBJECTS: OBJECT_STORES,
    Capability.REGISTRY: MODEL_REGISTRIES,
    Capability.TRAFFIC: TRAFFIC_ROUTERS,
    Capability.FUNCTIONS: FUNCTION_RUNNERS,
    Capability.SECRETS: SECRET_STORES,
    Capability.NOTICES: NOTIFIERS,
}
CASES = [(capability, engine) for capability, engines in SERVICES.items() for engine in engines]
_PLANES = (Capability.OBJECTS, Capability.TRAFFIC, Capability.FUNCTIONS)
WITH_PLANES = [(name, engine) for name, engine in CASES if engine != "local" or name in _PLANES]
"""Models, secrets and notices of the local engine lie in the server's own process: it is never without them."""
