"""Counts to a hundred, a fifth of a second each, and goes on from the newest number that was saved."""

import os
import time
from pathlib import Path

FOLDER, STEPS, STEP_S = Path(os.environ["WEYR_CHECKPOINT_DIR"]), 100, 0.2

FOLDER.mkdir(exist_ok=True)
first = max((int(file.stem) for file in FOLDER.glob("*.step")), default=0)
for step in range(first + 1, STEPS + 1):
    time.sleep(STEP_S)
    if step % 5 == 0:
        part = FOLDER / ".saving.tmp"
        part.write_text(str(step))
        part.rename(FOLDER / f"{step:04d}.step")
print(f"counted from {first} to {STEPS}")
