"""`take.py GIB`: tries to take so much memory of its device, and says whether it could."""

import sys

import torch

try:
    held = torch.empty(int(float(sys.argv[1]) * (1 << 30)), dtype=torch.uint8, device="cuda")
    print("took", held.numel())
except torch.OutOfMemoryError:
    print("refused")
