"""How does a program that is not Weyr's find a registered version's files? This goes before it, and becomes it.

    python -m weyr.runtime.weights --source s3://bucket/prefix [--version M/3 [--seal SEAL]] [--suffix .gguf] -- WORD

They lie in $WEYR_MODEL_DIR, in the cache that all tasks of the machine share; with `--suffix` the one file that ends
so is $WEYR_MODEL_FILE. A version whose files are not those that were registered is refused.
"""

import argparse
import os
import sys
from pathlib import Path

from weyr.runtime.fetch import FetchError, fetch


def main(words: list[str] | None = None) -> int:
    """Gives 1 where the files cannot be brought, and 127 where the program cannot be started; else it never returns."""
    options = _parser().parse_args(words)
    try:
        folder = fetch(options.source, Path(os.environ["WEYR_CACHE"]), os.environ, options.version, options.seal)
        if options.suffix:
            os.environ["WEYR_MODEL_FILE"] = str(_only(folder, options.suffix))
    except FetchError as e:
        print(f"weights: {e}", file=sys.stderr, flush=True)
        return 1
    os.environ["WEYR_MODEL_DIR"] = str(folder)
    try:
        os.execvp(options.command[0], options.command)
    except OSError as e:
        print(f"weights: {options.command[0]} could not be started: {e.strerror}", file=sys.stderr, flush=True)
    return 127


def _only(folder: Path, suffix: str) -> Path:
    """The one file that ends so; of the parts of one split in several, the first. Raises: FetchError."""
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
    firsts = [path for path in found if "-00001-of-" in path.name]
    if len(found) != 1 and len(firsts) != 1:
        raise FetchError(f"{len(found)} files of the version end in {suffix}, and one is needed")
    return firsts[0] if firsts else found[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.runtime.weights", description=__doc__.partition("\n")[0])
    parser.add_argument("--source", required=True, help="where the files are: s3://bucket/prefix")
    parser.add_argument("--version", default="", help="which version of which model lies there: NAME/VERSION")
    parser.add_argument("--seal", default="", help="what the version's files were when it was registered")
    parser.add_argument("--suffix", default="", help="how the one file ends that the program loads")
    parser.add_argument("command", nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main())
