"""Two processes train one model together, save as they go, and go on from there when their node is taken away.

    torchrun train_together.py --steps 300

Nothing in here knows Weyr but for one folder: what is saved in $WEYR_CHECKPOINT_DIR is there again in the next attempt,
on every replica. torchrun finds its peers by the variables that every task of a job with `replicas` has.
"""

import argparse
import os
import threading
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

FOLDER = Path(os.environ.get("WEYR_CHECKPOINT_DIR", "checkpoints"))


def newest() -> Path | None:
    """The checkpoint to go on from. Files are renamed once they are whole, so that any that is there is."""
    return max(FOLDER.glob("step-*.pt"), default=None)


def save(step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    part = FOLDER / ".saving.tmp"
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, part)
    part.rename(FOLDER / f"step-{step:06d}.pt")
    for old in sorted(FOLDER.glob("step-*.pt"))[:-2]:
        old.unlink()


def batch(step: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same examples for the same step, however often it is done: a training that was interrupted ends the same."""
    chance = torch.Generator().manual_seed(step * 1000 + rank)
    inputs = torch.rand(64, 2, generator=chance) * 2 - 1
    return inputs, (inputs[:, :1] * inputs[:, 1:] > 0).float()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between two steps, as a larger model had")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    dist.init_process_group("gloo")
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    first = 0
    if (found := newest()) is not None:
        state = torch.load(found, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    rank, size = dist.get_rank(), dist.get_world_size()
    print(f"rank {rank} of {size} begins at step {first}", flush=True)
    together, pause = DistributedDataParallel(model), threading.Event()
    for step in range(first + 1, options.steps + 1):
        inputs, wanted = batch(step, rank)
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(together(inputs), wanted)
        loss.backward()
        optimizer.step()
        if rank == 0 and (step % options.save_every == 0 or step == options.steps):
            save(step, model, optimizer)
            print(f"step {step}: loss {loss.item():.4f}", flush=True)
        pause.wait(options.pace)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
