"""What does a member of a gang find in its environment, so that a script written for another launcher runs as it is?

Pure: an engine knows where the members run, and supplies addresses and a port; the words are the same on every engine.
"""

import re
from collections.abc import Sequence

from weyr.core.capability import Gang

ALONE = Gang("", 1, 0)
NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
"""torchrun names a folder after its rendezvous."""


def rank_env(
    gang: Gang | None, addresses: Sequence[str], port: int, gpus: int = 0, rendezvous: str = ""
) -> dict[str, str]:
    """The variables of one member: torchrun's, PyTorch's own, SkyPilot's, dstack's and ours.

    Takes: `gang`, None for a task that runs alone. `addresses` of all members, by rank. `port`, free on the first
    member's machine and the same for all of the gang. `gpus` that each member sees (all of them the same).
    `rendezvous`, a name that no other gang and no other attempt of this one has.

    A member is a node to all of them: it sees its own devices from 0 on, so LOCAL_RANK is 0 also where two members
    share a machine. torchrun takes what its command line leaves out from PET_*: `torchrun train.py` finds its gang.
    """
    gang = gang or ALONE
    assert len(addresses) == gang.size, f"{gang.size} members and {len(addresses)} addresses"
    first, rank, size = addresses[0], str(gang.rank), str(gang.size)
    lines = "\n".join(addresses)
    return {
        "WEYR_REPLICA": rank,
        "WEYR_REPLICAS": size,
        "RANK": rank,
        "WORLD_SIZE": size,
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "NODE_RANK": rank,
        "MASTER_ADDR": first,
        "MASTER_PORT": str(port),
        "PET_NNODES": size,
        "PET_NPROC_PER_NODE": str(max(1, gpus)),
        "PET_RDZV_BACKEND": "c10d",
        "PET_RDZV_ENDPOINT": f"{_bracketed(first)}:{port}",
        "PET_RDZV_ID": NO_NAME.sub("-", rendezvous or gang.name or "weyr"),
        "SKYPILOT_NODE_RANK": rank,
        "SKYPILOT_NODE_IPS": lines,
        "SKYPILOT_NUM_NODES": size,
        "SKYPILOT_NUM_GPUS_PER_NODE": str(gpus),
        "DSTACK_NODE_RANK": rank,
        "DSTACK_NODES_NUM": size,
        "DSTACK_MASTER_NODE_IP": first,
        "DSTACK_NODES_IPS": lines,
        "DSTACK_GPUS_PER_NODE": str(gpus),
        "DSTACK_GPUS_NUM": str(gpus * gang.size),
    }


def _bracketed(address: str) -> str:
    """An IPv6 address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
