"""`hold.py NAME [busy]`: takes 1 GiB of its device, computes or not, and ends with NAME.end, or after a minute."""

import sys
import threading
import time
from pathlib import Path

import torch

pause = threading.Event()
name, busy = sys.argv[1], sys.argv[2:] == ["busy"]
held = torch.zeros(1 << 28, device="cuda")
square = torch.rand(4096, 4096, device="cuda", dtype=torch.bfloat16)
torch.cuda.synchronize()
until = time.monotonic() + 60
print(f"{name} holds", held.numel() * 4, flush=True)
while not Path(f"{name}.end").exists() and time.monotonic() < until:
    if busy:
        for _ in range(200):
            square @ square
        torch.cuda.synchronize()
    else:
        pause.wait(0.05)
