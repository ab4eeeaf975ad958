"""What may be said of a pool."""

from typing import Annotated

from weyr.core.accelerators import MODEL, PROFILE
from weyr.core.engine import LOCAL
from weyr.core.opening_fields import Calendar
from weyr.core.pools import Market
from weyr.core.schema import Boolean, Count, Duration, MoneyAmount, Size, Spec, checked, field


def _accelerators(written: dict[str, int]) -> dict[str, int]:
    if len(written) > 1:
        raise ValueError("a pool's nodes have devices of one model; make another pool for each further one")
    for model in written:
        if not MODEL.fullmatch(model):
            raise ValueError(f"{model!r} is not the name of an accelerator, such as H100")
    return written


def _slices(written: dict[str, int]) -> dict[str, int]:
    for profile in written:
        if not PROFILE.fullmatch(profile):
            raise ValueError(f"{profile!r} is not a MIG profile, such as 1g.10gb")
    return written


class PoolSpec(Spec):
    """Nodes of one sort; jobs name it as `pool: gpu`, those of other stacks as `team:pool/gpu`."""

    on: str = field(
        LOCAL,
        description="Whose nodes they are: made by this machine, or those that the stack's cluster has.",
        examples=["slurm"],
        pattern="^[a-z]+$",
    )
    cpu: float | None = field(None, description="CPU cores of a node; by default the whole machine's.", gt=0, le=4096)
    memory: Size | None = field(None, description="Memory of a node; by default the whole machine's.", ge=2**20)
    accelerators: Annotated[dict[str, Count], checked(_accelerators)] = field(
        {}, description="Devices of a node, of one model.", examples=[{"H100": 8}]
    )
    accelerator_memory: Size | None = field(
        None, description="Memory of one device, for tasks that ask for a part of it."
    )
    mig: Annotated[dict[str, Count], checked(_slices)] = field(
        {}, description="MIG slices of a node by profile, of devices that are cut up.", examples=[{"1g.10gb": 7}]
    )
    detect: Boolean = field(
        False, description="Use the devices that the driver finds; a node that has fewer than stated is refused."
    )
    labels: dict[str, str] = field(
        {}, description="Labels that tasks can ask for; of a cluster's nodes, those with all of them.", max_length=50
    )
    taints: tuple[str, ...] = field((), description="Only tasks that tolerate all of these run there.", max_length=50)
    market: Market = field(Market.ON_DEMAND, description="How its nodes are paid for; spot ones may be reclaimed.")
    price: MoneyAmount | None = field(None, description="What a node costs per hour.", examples=["12.50 USD"])
    min: Count = field(0, description="So many nodes are kept, needed or not.")
    max: int = field(1, description="The most nodes at a time.", ge=1, le=100_000, strict=True)
    idle_after: Duration = field(300.0, description="A node that nothing runs on goes after this long.")
    cool_down: Duration = field(10.0, description="Between one change of their number by need and the next.")
    budget: MoneyAmount | None = field(None, description="What its nodes may cost per hour together.")
    calendar: Calendar | None = field(None, description="When it may have nodes at all; by default always.")
