"""One attempt of a task, on whichever machine: its order, its folder, the wrapper that leads its life, its record."""
