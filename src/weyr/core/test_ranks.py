"""A script that was written for torchrun, SkyPilot or dstack finds what it asks for."""

import pytest

from weyr.core.capability import Gang
from weyr.core.ranks import rank_env

SECOND = rank_env(Gang("3", 2, 1), ["10.0.0.7", "10.0.0.8"], 29511, gpus=4, rendezvous="digits:job/train#3")

VARIABLES = {
    "PyTorch's own rendezvous": {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29511"},
    "torchrun without a word on its command line": {
        "PET_NNODES": "2",
        "PET_NPROC_PER_NODE": "4",
        "PET_RDZV_ENDPOINT": "10.0.0.7:29511",
        "PET_RDZV_ID": "digits-job-train-3",
    },
    "a SkyPilot task": {
        "SKYPILOT_NODE_RANK": "1",
        "SKYPILOT_NODE_IPS": "10.0.0.7\n10.0.0.8",
        "SKYPILOT_NUM_NODES": "2",
        "SKYPILOT_NUM_GPUS_PER_NODE": "4",
    },
    "a dstack task": {
        "DSTACK_NODE_RANK": "1",
        "DSTACK_NODES_NUM": "2",
        "DSTACK_MASTER_NODE_IP": "10.0.0.7",
        "DSTACK_NODES_IPS": "10.0.0.7\n10.0.0.8",
        "DSTACK_GPUS_PER_NODE": "4",
        "DSTACK_GPUS_NUM": "8",
    },
    "its own devices, from 0 on": {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"},
}


@pytest.mark.parametrize("case", VARIABLES)
def test_a_member_finds_its_place(case: str) -> None:
    """Scripts move here without an edit."""
    assert VARIABLES[case].items() <= SECOND.items()


def test_a_task_alone_is_a_gang_of_one() -> None:
    """The same script runs on a laptop; a machine without GPUs still starts one process."""
    alone = rank_env(None, ["::1"], 29511)
    assert (alone["RANK"], alone["WORLD_SIZE"], alone["PET_NPROC_PER_NODE"]) == ("0", "1", "1")
    assert alone["PET_RDZV_ENDPOINT"] == "[::1]:29511"


def test_a_gang_without_one_address_for_each_is_a_mistake() -> None:
    """A member that nobody can find would let the others wait for ever."""
    with pytest.raises(AssertionError, match="2 members and 1 addresses"):
        rank_env(Gang("3", 2, 0), ["10.0.0.7"], 29511)
