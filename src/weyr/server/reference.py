"""How is the API's reference shown in a browser? As one page made from the OpenAPI document.

Nothing is fetched from anywhere and nothing runs: the page has its style inside, works without scripts, and
can be saved, printed and searched.
"""

import json
import re
from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from typing import Any


def page(document: Mapping[str, Any]) -> str:
    """The whole page as HTML."""
    template = resources.files("weyr.server").joinpath("reference.html").read_text(encoding="utf-8")
    info = document["info"]
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    menu: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            by_tag[tag].append(_operation(document, method.upper(), path, operation))
            menu[tag].append(_menu_entry(method.upper(), path, operation))
    sections = "".join(f"<section><h2>{escape(tag)}</h2>{''.join(parts)}</section>" for tag, parts in by_tag.items())
    links = "".join(f"<h2>{escape(tag)}</h2><ul>{''.join(entries)}</ul>" for tag, entries in menu.items())
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return Template(template).substitute(
        title=escape(info["title"]),
        version=escape(info["version"]),
        links=links,
        intro=_prose(info["description"]),
        sections=sections,
        schemas=schemas,
    )


def _menu_entry(method: str, path: str, operation: Mapping[str, Any]) -> str:
    return (
        f'<li><a href="#{escape(operation["operationId"])}" title="{method} {escape(path)}">'
        f"{escape(operation['summary'])}</a></li>"
    )


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f'<article id="{escape(operation["operationId"])}"><h3>{escape(operation["summary"])}</h3>',
        f'<p class="route"><b class="{method.lower()}">{method}</b> <code>{_path(path)}</code></p>',
        _prose(operation.get("description", "")),
        _parameters(operation.get("parameters", ())),
    ]
    if "requestBody" in operation:
        parts.append(_body(document, "Takes", operation["requestBody"]["content"]))
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            parts.append(_body(document, f"Gives {status}", answer["content"]))
    parts.append(_refusals(document, operation["responses"]))
    parts.append(_curl(document, method, path, operation))
    return "".join(parts) + "</article>"


def _path(path: str) -> str:
    return re.sub(r"\{(\w+)\}", r"<var>{\1}</var>", escape(path))


def _parameters(parameters: Any) -> str:
    rows = "".join(_parameter(parameter) for parameter in parameters)
    return f"<h4>Parameters</h4><table>{rows}</table>" if rows else ""


def _parameter(parameter: Mapping[str, Any]) -> str:
    need = ", required" if parameter["required"] else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code><span>{escape(parameter['in'])}{need}</span></td>"
        f"<td>{escape(_type(parameter['schema']))}</td>"
        f"<td>{_inline(parameter['description'])}{_default(parameter['schema'])}</td></tr>"
    )


def _default(schema: Mapping[str, Any]) -> str:
    return f" Default: <code>{escape(str(schema['default']))}</code>." if "default" in schema else ""


def _body(document: Mapping[str, Any], title: str, content: Mapping[str, Any]) -> str:
    media, body = next(iter(content.items()))
    name = body["schema"].get("$ref", "").rpartition("/")[2]
    if not name:
        return f"<h4>{escape(title)}</h4><p>{escape(media)}</p>"
    example = document["components"]["schemas"][name].get("examples", [None])[0]
    shown = f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>" if example is not None else ""
    return f'<h4>{escape(title)} <a href="#schema-{escape(name)}">{escape(name)}</a></h4>{shown}'


def _refusals(document: Mapping[str, Any], responses: Mapping[str, Any]) -> str:
    shared = document["components"]["responses"]
    rows = "".join(
        f"<tr><td><code>{status}</code></td><td>"
        f"{_inline((answer if 'description' in answer else shared[status])['description'])}</td></tr>"
        for status, answer in sorted(responses.items())
        if not status.startswith("2")
    )
    return f'<h4>Refuses with <a href="#schema-Refusal">Refusal</a></h4><table>{rows}</table>' if rows else ""


def _curl(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A line to paste: the server's own address, the token from its folder, an example's body."""
    server = next(iter(document.get("servers", ())), {"url": "$WEYR_URL"})["url"]
    examples = {p["name"]: str(p.get("example", p["name"])) for p in operation.get("parameters", ())}
    target = re.sub(r"\{(\w+)\}", lambda match: examples.get(match[1], match[1]), path)
    words = ["curl -s"]
    if operation.get("security") != []:
        words.append('-H "Authorization: Bearer $(cat ~/.weyr/admin.token)"')
    if method != "GET":
        words.append(f"-X {method}")
    words.append(f"{server}{target}")
    if "requestBody" in operation:
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        words.append(f"-d '{json.dumps(document['components']['schemas'][name]['examples'][0])}'")
    return f'<pre class="curl">{escape(" ".join(words))}</pre>'


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    head = f'<article id="schema-{escape(name)}"><h3>{escape(name)}</h3>{_prose(schema.get("description", ""))}'
    choices = schema.get("oneOf", [schema])
    return head + "".join(_fields(choice, len(choices) > 1) for choice in choices) + "</article>"


def _fields(schema: Mapping[str, Any], is_titled: bool) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><span>{'' if name in required else 'optional'}</span></td>"
        f"<td>{_typed(field)}</td><td>{_inline(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    title = _prose(schema.get("description", "")) if is_titled else ""
    return title + (f"<table>{rows}</table>" if rows else "")


def _typed(schema: Mapping[str, Any]) -> str:
    """A field's type, with a link where it is a schema of this document."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if schema.get("type") == "array":
        return f"list of {_typed(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(_typed(choice) for choice in schema["anyOf"])
    return escape(_type(schema))


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    return str(schema.get("type", "any"))


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part.strip())


def _inline(text: str) -> str:
    """The two bits of Markdown that the texts use: `code` and [links](#to)."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\[([^\]]+)\]\((#[\w-]+)\)", r'<a href="\2">\1</a>', marked)
