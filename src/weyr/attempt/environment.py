"""How is a Python environment made that tasks share? Once for each set of requirements, by uv or by pip.

    python -m weyr.attempt.environment FOLDER INTERPRETER REQUIREMENT...

FOLDER is named by what it holds (`weyr.attempt.requirements.key_of`). It is made under a lock, so a hundred tasks that
want it make it once, and counts only with READY in it, which is written last: what a crash left half built is thrown
away. Old ones go first where there are too many, never one that a task uses. Standard library only.
"""

import configparser
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from weyr.attempt.builder import READY
from weyr.attempt.requirements import words_of

KEPT_MAX = 20
KEPT_BYTES_MAX = 40 << 30
SAME_AS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CONSTRAINT": "UV_CONSTRAINT",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
}
MEANINGLESS = {
    f"PIP_{name}"
    for name in ("BREAK_SYSTEM_PACKAGES", "DEFAULT_TIMEOUT", "DISABLE_PIP_VERSION_CHECK", "NO_INPUT", "PROGRESS_BAR",
                 "QUIET", "REQUIRE_VIRTUALENV", "ROOT_USER_ACTION", "TIMEOUT", "CONFIG_FILE")
}  # fmt: skip
"""Settings that say nothing of what is installed."""


def build(folder: Path, python: str, requirements: Sequence[str]) -> None:
    """Makes the environment unless it is there. Raises: OSError; CalledProcessError, with the words on our output."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(f"{folder}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / READY).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)  # what a crash left
        began = time.monotonic()
        _tell(f"makes a Python environment for {', '.join(requirements) or python}")
        try:
            _install(folder, python, requirements)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _finish(folder, requirements)
        _tell(f"the environment is made, in {time.monotonic() - began:.1f} s")
        make_room(folder.parent, but=folder.name)


def make_room(root: Path, but: str = "", kept_max: int = KEPT_MAX, bytes_max: int = KEPT_BYTES_MAX) -> None:
    """Clears away the environments that were not used for the longest, until few enough are left."""
    found = sorted(root.glob(f"*/{READY}"), key=lambda ready: ready.stat().st_mtime, reverse=True)
    held_bytes = 0
    for number, ready in enumerate(found):
        held_bytes += int(json.loads(ready.read_text() or "{}").get("size_bytes", 0))
        if (number >= kept_max or held_bytes > bytes_max) and ready.parent.name != but:
            _clear(ready.parent)


def _clear(folder: Path) -> None:
    with open(f"{folder}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # a task uses it
        (folder / READY).unlink(missing_ok=True)  # from here on it is half built, should we be killed
        shutil.rmtree(folder, ignore_errors=True)


def _install(folder: Path, python: str, requirements: Sequence[str]) -> None:
    words = [word for line in requirements for word in words_of(line)]
    inside = str(folder / "bin" / "python")
    uv, settings = shutil.which("uv"), uv_settings({**_pip_files(), **os.environ})
    if uv and settings is not None:
        _run([uv, "venv", "--quiet", "--python", python, str(folder)])
        if words:
            _run([uv, "pip", "install", "--python", inside, *words], settings)
        return
    pip = ["-m", "pip", "--python", inside, "install", "--no-input", "--disable-pip-version-check", *words]
    outside = next((each for each in (python, _base(python)) if _has_pip(each)), None)
    # A pip of its own in each environment costs seconds; one outside can fill it as well.
    _run([python, "-m", "venv", *(["--without-pip"] if outside else []), str(folder)])
    if words:
        _run([outside, *pip] if outside else [inside, *pip[:2], *pip[4:]])


def uv_settings(environment: Mapping[str, str]) -> dict[str, str] | None:
    """pip's settings in uv's words, as uv does not read them; None where uv has no word for one."""
    found = {}
    for name, value in environment.items():
        if not name.startswith("PIP_") or name in MEANINGLESS:
            continue
        if name == "PIP_ONLY_BINARY" and value == ":all:":
            found["UV_NO_BUILD"] = "1"
        elif name in SAME_AS:
            found[SAME_AS[name]] = ",".join(value.split()) if name == "PIP_FIND_LINKS" else value
        else:
            return None
    return found


def _pip_files() -> dict[str, str]:
    """What pip's files of settings say, as the variables that mean the same."""
    home = Path(os.path.expanduser("~"))
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(("/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"))
    return {
        f"PIP_{key.upper().replace('-', '_')}": value
        for section in ("global", "install")
        if parser.has_section(section)
        for key, value in parser.items(section)
    }


def _has_pip(python: str) -> bool:
    return subprocess.run([python, "-c", "import pip"], check=False, capture_output=True).returncode == 0


def _base(python: str) -> str:
    """The interpreter that an environment's was made from."""
    code = "import sys; print(sys._base_executable)"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _run(argv: list[str], settings: Mapping[str, str] | None = None) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env={**os.environ, **(settings or {})})


def _finish(folder: Path, requirements: Sequence[str]) -> None:
    """The mark that it is whole, durably, after all that it stands for."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    part = folder / f"{READY}.tmp"
    os.sync()
    with open(part, "w") as file:
        json.dump({"requirements": [*requirements], "size_bytes": size}, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / READY)


def _tell(sentence: str) -> None:
    print(f"[weyr] {sentence}", flush=True)


def main(argv: Sequence[str]) -> int:
    folder, python, *requirements = argv
    try:
        build(Path(folder), python, requirements)
    except subprocess.CalledProcessError as e:
        _tell(f"the environment could not be made: {Path(e.cmd[0]).name} ended with exit code {e.returncode}")
        return 1
    except OSError as e:
        _tell(f"the environment could not be made: {e}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
