"""model: a registered model whose alias moves only through its gate."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.ml.model.checks import checks
from weyr.kinds.ml.model.decide import decide
from weyr.kinds.ml.model.memory import ModelMemory
from weyr.kinds.ml.model.spec import ModelSpec

KIND = Kind(
    name="model",
    plural="models",
    layer=Layer.ML,
    summary="A registered model whose alias moves only through its gate.",
    spec=ModelSpec,
    decide=decide,
    capabilities=(Capability.REGISTRY,),
    memory=ModelMemory,
    replaces=frozenset({"name"}),
    checks=checks,
)
