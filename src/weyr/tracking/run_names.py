"""What is a run called when nobody names it? Two words and a number that follow from its id."""

import hashlib

_QUALITIES = (
    "amber",
    "bold",
    "calm",
    "dapper",
    "eager",
    "fabled",
    "gentle",
    "hardy",
    "idle",
    "jolly",
    "keen",
    "lofty",
    "mellow",
    "nimble",
    "ornate",
    "placid",
    "quiet",
    "rapid",
    "serene",
    "tidy",
    "upbeat",
    "vivid",
    "wry",
    "zesty",
)
_CREATURES = (
    "basilisk",
    "cockatrice",
    "drake",
    "firedrake",
    "hydra",
    "kestrel",
    "lindworm",
    "moth",
    "newt",
    "otter",
    "phoenix",
    "raven",
    "salamander",
    "serpent",
    "sparrow",
    "swift",
    "thrush",
    "viper",
    "wren",
    "wyvern",
)


def name_for(run_id: str) -> str:
    """Takes a run's id; the same id has the same name."""
    digest = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big")
    quality = _QUALITIES[digest % len(_QUALITIES)]
    creature = _CREATURES[digest // 1000 % len(_CREATURES)]
    return f"{quality}-{creature}-{digest // 1_000_000 % 1000}"
