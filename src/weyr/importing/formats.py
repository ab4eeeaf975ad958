"""Which tool was a file written for, and what stack does it make? Text → a stack file's text, and what to say of it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.importing import dstack, kubernetes, sbatch, skypilot
from weyr.importing.draft import Draft, Note, name_of
from weyr.stack.tree import Node, leaf_of, tree_of


class Format(StrEnum):
    SKYPILOT = "SkyPilot task"
    DSTACK = "dstack configuration"
    SBATCH = "sbatch script"
    KUBERNETES = "Kubernetes manifest"


@dataclass(frozen=True, slots=True)
class Imported:
    """`text` is a stack file; `notes` say what it does not hold, in the order of the lines they are about."""

    format: Format
    stack: str
    text: str
    notes: tuple[Note, ...]
    objects: tuple[str, ...]


def imported(text: str, file: str, name: str) -> Imported:
    """The stack that a file of another tool asks for. Takes the name for the stack, and for what has none.

    Raises: UserError where it is of no known tool, cannot be read, or holds nothing that runs.
    """
    draft = Draft(name_of(name, "imported"))
    format = Format.SBATCH if sbatch.is_script(text) else None
    if format:
        sbatch.read_script(text, draft)
    else:
        documents = _documents(text, file)
        format = _format_of(documents, file)
        _read(format, documents, draft)
    if not any(draft.objects.get(plural) for plural in ("jobs", "services", "devs")):
        detail = "; ".join(note.text(file) for note in draft.notes) or f"The {format} holds nothing that runs."
        raise UserError(Diagnostic("Nothing to import", detail, place=Place(file)))
    notes = tuple(sorted(draft.notes, key=lambda note: note.line))
    objects = tuple(f"{plural.removesuffix('s')}/{each}" for plural, those in draft.objects.items() for each in those)
    return Imported(format, draft.name, _written(draft), notes, objects)


def _read(format: Format, documents: list[Node], draft: Draft) -> None:
    if format is Format.DSTACK:
        for document in documents:
            dstack.read_configuration(document, draft)
    elif format is Format.KUBERNETES:
        for document in documents:
            kubernetes.read_object(document, draft)
    else:
        tasks = [document for document in documents if _names(document) - {"name"}]
        before = ""
        for task in tasks:
            skypilot.read_task(task, draft)
            jobs = list(draft.objects.get("jobs", {}))
            if before and jobs[-1] != before:
                # A pipeline's tasks run one after the other.
                draft.objects["jobs"][jobs[-1]]["needs"] = [{"job": before}]
            before = jobs[-1] if jobs else ""


def _documents(text: str, file: str) -> list[Node]:
    """Each YAML document of a file, with the lines it has in the whole."""
    found, line = [], 0
    for part in re.split(r"^---[ \t]*(?:#.*)?$", text, flags=re.MULTILINE):
        if re.sub(r"^\s*#.*$", "", part, flags=re.MULTILINE).strip():
            root, problems = tree_of("\n" * line + part, file)
            if problems:
                raise UserError(*problems)
            found.append(root)
        line += part.count("\n")
    return found


def _format_of(documents: list[Node], file: str) -> Format:
    for document in documents:
        names = _names(document)
        if {"apiVersion", "kind"} <= names:
            return Format.KUBERNETES
        kind = document.value["type"].value if isinstance(document.value, dict) and "type" in names else None
        if kind in dstack.TYPES:
            return Format.DSTACK
        if names & skypilot.TASK_FIELDS:
            return Format.SKYPILOT
    detail = (
        "It is no SkyPilot task (run, resources), no dstack configuration (type: task, service or dev-environment), "
        "no Kubernetes object (apiVersion, kind), and no script with #SBATCH lines."
    )
    raise UserError(Diagnostic("Not a file that can be imported", detail, place=Place(file)))


def _names(node: Node) -> set[str]:
    return set(node.value) if isinstance(node.value, dict) else set()


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and short lists of words on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _as_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    # PyYAML would leave 1e-06 without quotes, and a stack file has it for a number.
    style = "|" if "\n" in text else None if isinstance(leaf_of(lines), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", lines, style=style)


_Dumper.add_representer(str, _as_text)


def _written(draft: Draft) -> str:
    content: dict[str, Any] = {"stack": draft.name}
    content |= draft.objects
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
