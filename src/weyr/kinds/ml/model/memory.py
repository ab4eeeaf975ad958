"""What does a model remember between two looks? Whose the alias is, and what was last known of its versions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """`promoted` is the version that the alias belongs to (0: none) under `rules`; `judged` the newest version that
    the story tells a verdict of, and `failed` what it fails.

    `newest` was first seen at `newest_at`. `versions` and `chosen` (alias, version, source) are what was last seen, and
    `seals` (version, seal): others go on by them while the registry is silent. `drift` is the change outside that was
    told last.
    """

    judged: int = 0
    failed: tuple[str, ...] = ()
    promoted: int = 0
    alias_generation: int = 0
    rules: tuple[tuple[str, str], ...] = ()
    newest: int = 0
    newest_at: float = 0.0
    was_there: bool = False
    versions: int = 0
    chosen: tuple[tuple[str, int, str], ...] = ()
    drift: str = ""
    seals: tuple[tuple[int, str], ...] = ()
