"""How does Terraform come from a disk: a plan as JSON, a plan that Terraform saved, or the `.tf` files of a folder?"""

import json
import posixpath
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.importing.terraform.modules import read_folder
from weyr.importing.terraform.planned import read_plan
from weyr.importing.terraform.variables import value_of, values_of
from weyr.ledger.terraform.resources import Resources

SIZE_MAX_BYTES = 512 * 2**20
SHOW_TIMEOUT_S = 300
ENDINGS = (".tf", ".tf.json")
BINARIES = ("terraform", "tofu")
ZIP = b"PK\x03\x04"


def resources_at(path: Path, variables: list[str], files: list[Path], region: str) -> Resources:
    """What stands at a path, whichever of the three it is. Raises: UserError."""
    if path.is_dir():
        return read_folder(DiskFolders(path), _named(variables), region, _of_files(path, files))
    data = _bytes(path)
    if data.startswith(ZIP):
        return read_plan(_shown(path), str(path), region)
    is_configuration = path.name.endswith(ENDINGS)
    start = -1 if is_configuration else data.find(b"{")
    if start >= 0 and b"\n" not in data[:start].strip():
        # Terraform's wrapper in GitHub Actions prints the command before what it shows.
        return read_plan(_text(data[start:], path), str(path), region)
    if not is_configuration:
        detail = f"{path} is neither a folder, a .tf file, a saved plan nor its JSON."
        raise UserError(Diagnostic("Not Terraform", detail, suggestion="weyr price terraform FOLDER"))
    folder = DiskFolders(path.parent, only=path.name)
    return read_folder(folder, _named(variables), region, _of_files(path.parent, files))


class DiskFolders:
    """A configuration on disk. `only`: of its root, that file alone."""

    def __init__(self, root: Path, only: str = "") -> None:
        self.root, self.only = root, only
        self._downloaded = _downloaded(root)

    def texts(self, folder: str) -> Mapping[str, str] | None:
        place = self.root / folder
        if not place.is_dir():
            return None
        names = (
            [self.only]
            if self.only and folder == "."
            else sorted(p.name for end in ENDINGS for p in place.glob(f"*{end}"))
        )
        shown = posixpath.normpath(folder)
        prefix = "" if shown == "." else f"{shown}/"
        if not names and folder == ".":
            detail = f"{self.root} has no .tf file."
            raise UserError(Diagnostic("Nothing to price", detail, suggestion="weyr price terraform FOLDER"))
        return {prefix + name: _text(_bytes(place / name), place / name) for name in names}

    def read(self, path: str) -> str | None:
        place = self.root / path
        return _text(_bytes(place), place) if place.is_file() else None

    def downloaded(self, module: str) -> str | None:
        return self._downloaded.get(module)


def _downloaded(root: Path) -> dict[str, str]:
    """Where `terraform init` put each module, by its name from the root."""
    listing = root / ".terraform" / "modules" / "modules.json"
    if not listing.is_file():
        return {}
    try:
        listed = json.loads(listing.read_text(encoding="utf-8")).get("Modules") or []
        return {str(each["Key"]): str(each["Dir"]) for each in listed if each.get("Key")}
    except (ValueError, KeyError, AttributeError) as e:
        raise UserError(Diagnostic("Terraform's list of modules cannot be read", f"{listing}: {e}.")) from e


def _of_files(root: Path, files: list[Path]) -> dict[str, Any]:
    """Values of variables, the later over the earlier: of the folder's own files, and of those given."""
    own = [root / "terraform.tfvars", *sorted(root.glob("*.auto.tfvars"))]
    own += [root / "terraform.tfvars.json", *sorted(root.glob("*.auto.tfvars.json"))]
    inputs: dict[str, Any] = {}
    for file in [*(each for each in own if each.is_file()), *files]:
        inputs.update(values_of(_text(_bytes(file), file), str(file)))
    return inputs


def _named(variables: list[str]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for each in variables:
        name, equals, value = each.partition("=")
        if not equals:
            raise UserError(
                Diagnostic("A variable without its value", f"`--var {each}`.", suggestion="--var NAME=VALUE")
            )
        inputs[name.strip()] = value_of(value)
    return inputs


def _shown(plan: Path) -> str:
    """A saved plan, shown by the Terraform that is installed."""
    binary = next((found for name in BINARIES if (found := shutil.which(name))), None)
    if binary is None:
        detail = f"{plan} is a plan in Terraform's own form, and neither terraform nor tofu is installed to show it."
        raise UserError(
            Diagnostic("Terraform is not installed", detail, suggestion="terraform show -json PLAN > plan.json")
        )
    command = [binary, "show", "-json", str(plan.absolute())]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SHOW_TIMEOUT_S, check=False, cwd=plan.absolute().parent
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise UserError(Diagnostic("Terraform did not show the plan", f"{binary}: {e}.")) from e
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
        detail = f"{binary} show -json {plan}: {said}"
        raise UserError(
            Diagnostic("Terraform did not show the plan", detail, suggestion=f"cd {plan.parent}; terraform init")
        )
    return done.stdout


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > SIZE_MAX_BYTES:
            raise UserError(Diagnostic("The file is too large", f"{path} has more than {SIZE_MAX_BYTES:,} bytes."))
        return path.read_bytes()
    except OSError as e:
        raise UserError(Diagnostic("The file cannot be read", f"{path}: {e.strerror}.")) from e


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise UserError(Diagnostic("The file is not text", f"{path}:{line}: byte {e.start} is not UTF-8.")) from e


def file_text(path: Path) -> str:
    """A text file's content. Raises: UserError."""
    return _text(_bytes(path), path)
