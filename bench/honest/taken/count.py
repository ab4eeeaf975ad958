"""Counts to a hundred, a fifth of a second each, and goes on from the newest number that was saved.

    python count.py [SECONDS]

Before that it does nothing for so many seconds, as one that loads data or imports much.
"""

import os
import sys
import time
from pathlib import Path

FOLDER, STEPS, STEP_S = Path(os.environ["WEYR_CHECKPOINT_DIR"]), 100, 0.2

time.sleep(float(sys.argv[1]) if sys.argv[1:] else 0.0)
FOLDER.mkdir(exist_ok=True)
first = max((int(file.stem) for file in FOLDER.glob("*.step")), default=0)
for step in range(first + 1, STEPS + 1):
    time.sleep(STEP_S)
    if step % 5 == 0:
        part = FOLDER / ".saving.tmp"
        part.write_text(str(step))
        part.rename(FOLDER / f"{step:04d}.step")
print(f"counted from {first} to {STEPS}")
