"""Trains a small network on its device for STEPS steps, saves as it goes, and ends early when it is told to.

The same steps give the same weights: each step's batch is drawn from the step's number, so that a run that was
interrupted must end with the loss of one that was not.
"""

import os
import sys

import torch

from weyr.runtime import checkpoint

STEPS, ROWS = int(sys.argv[1]), 4096
torch.use_deterministic_algorithms(True)
torch.manual_seed(7)
model = torch.nn.Sequential(torch.nn.Linear(256, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 256)).to("cuda")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
last, start = checkpoint.latest(), 0
if last:
    saved = torch.load(last / "state.pt", map_location="cuda", weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    start = saved["step"]
    print(f"resumed at {start}", flush=True)
loss = torch.tensor(0.0)
for step in range(start, STEPS):
    torch.manual_seed(step)
    rows = torch.randn(ROWS, 256, device="cuda")
    loss = torch.nn.functional.mse_loss(model(rows), rows.roll(1, dims=1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step == start:
        print(f"began on {torch.cuda.get_device_name()}", flush=True)
    if checkpoint.is_due():
        with checkpoint.saving(f"step-{step + 1:06}") as folder:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state, folder / "state.pt")
    if checkpoint.should_stop():
        print(f"stopped at {step + 1}", flush=True)
        sys.exit(int(os.environ.get("STOPPED", "143")))
print(f"loss {loss.item():.9f}", flush=True)
