"""Which resources would a folder of Terraform make? Variables, locals, count, for_each, modules and data, evaluated.

It reads no disk: who calls gives the folders. What no file says (a remote module that was not downloaded, a count
that is known after an apply) becomes a note, and is never passed over in silence.
"""

import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.importing.terraform.arguments import making_of
from weyr.importing.terraform.data_sources import data_values
from weyr.importing.terraform.evaluate import MISFIT, Made, Scope, evaluate, number_of
from weyr.importing.terraform.functions import text_of
from weyr.importing.terraform.json_syntax import parse_json
from weyr.importing.terraform.parse import parse
from weyr.importing.terraform.syntax import Attribute, Block, Expression, Literal, Name
from weyr.importing.terraform.variables import typed
from weyr.ledger.terraform.resources import Resource, Resources, Unknown

INSTANCES_MAX = 10_000
"""More of one resource than anyone plans: a bound on what a count can make us do."""


class Folders(Protocol):
    """The files of a configuration."""

    def texts(self, folder: str) -> Mapping[str, str] | None:
        """The `.tf` and `.tf.json` files of a folder by name; None where there is no such folder."""
        ...

    def read(self, path: str) -> str | None: ...

    def downloaded(self, module: str) -> str | None:
        """The folder that `terraform init` put a module into (`a.b` for one within another), where it did."""
        ...


Regions = Mapping[tuple[str, str], str]
"""Of a provider's local name and alias, the region."""


def read_folder(
    folders: Folders, inputs: Mapping[str, Any], region: str = "", defaults: Mapping[str, Any] | None = None
) -> Resources:
    """All resources of the configuration at `folders`' root. `region` goes before what its providers say.

    `inputs`: values of variables that were named one by one; `defaults`: those of files, which may name others too.
    Raises: UserError with every problem.
    """
    values = {**(defaults or {}), **inputs}
    root = Module(folders, ".", "", {name: partial(_same, value) for name, value in values.items()}, {}, region)
    unknown = [name for name in inputs if name not in root.variables]
    problems = [
        Diagnostic(
            "No such variable",
            f"The configuration declares no variable `{name}`.{did_you_mean(name, list(root.variables))}",
        )
        for name in unknown
    ]
    if problems:
        raise UserError(*problems)
    found = list(root.resources())
    problems = list({str(problem): problem for problem in root.all_problems()}.values())
    if problems:
        raise UserError(*problems)
    return Resources(tuple(found), tuple(dict.fromkeys(root.all_notes())))


def _same(value: Any) -> Any:
    return value


class Module:
    """One instance of a module: its blocks, and the values of what they name."""

    def __init__(
        self,
        folders: Folders,
        folder: str,
        address: str,
        inputs: Mapping[str, Callable[[], Any]],
        regions: Regions,
        region: str = "",
        above: tuple[str, ...] = (),
    ) -> None:
        self.folders, self.folder, self.address = folders, folder, address
        self.forced_region, self.above = region, (*above, folder)
        self.notes: list[str] = []
        self.problems: list[Diagnostic] = []
        self.children: list[Module] = []
        self.scope = Scope(self)
        blocks = [block for name, text in _in_order(folders.texts(folder)) for block in _blocks(text, name)]
        self.variables = {block.labels[0]: block for block in blocks if block.kind == "variable" and block.labels}
        self.outputs = {block.labels[0]: block for block in blocks if block.kind == "output" and block.labels}
        self.managed = {block.labels[:2]: block for block in blocks if block.kind == "resource"}
        self.data = {block.labels[:2]: block for block in blocks if block.kind == "data"}
        self.calls = {block.labels[0]: block for block in blocks if block.kind == "module" and block.labels}
        self.locals = {k: v for block in blocks if block.kind == "locals" for k, v in block.attributes.items()}
        self._variable_values = Made({n: partial(self._variable, n, inputs) for n in self.variables}, ())
        self._local_values = Made({n: partial(evaluate, e, self.scope) for n, e in self.locals.items()}, ())
        self._made: dict[tuple[str, ...], Any] = {}
        self.regions = dict(regions)
        self.regions.update(self._own_regions(blocks))

    # What the module makes

    def resources(self) -> Iterator[Resource]:
        """Every managed resource, its children's after its own."""
        for labels in self.managed:
            for address, made in self._told(labels):
                values = self._plain(address, made)
                yield Resource(address, labels[0], values, self._region_of(self.managed[labels], values))
        for name in self.calls:
            self._watched(f"module.{name}", partial(self.value, ("module", name)))
        for child in self.children:
            yield from child.resources()

    def _told(self, labels: tuple[str, ...]) -> list[tuple[str, Made]]:
        """A resource's instances; what is wrong with its count is kept."""
        try:
            return self._instances(labels)
        except UserError as error:
            self._keep(error, self._full(".".join(labels)))
            return []

    def _keep(self, error: UserError, address: str) -> None:
        for each in error.diagnostics:
            if each.summary == MISFIT:
                self.notes.append(f"{address}: {each.detail} What it decides is taken as unknown.")
                continue
            self.problems.append(Diagnostic(each.summary, each.detail, each.severity, each.place, each.ref or address))

    def _plain(self, address: str, made: Made) -> dict[str, Any]:
        return {key: self._watched(address, partial(made.__getitem__, key)) for key in made}

    def _watched(self, address: str, making: Callable[[], Any]) -> Any:
        """One value; what is wrong with it is kept, so that all problems are told at once."""
        try:
            return _without_made(making())
        except UserError as error:
            self._keep(error, address)
            return Unknown()

    def all_problems(self) -> list[Diagnostic]:
        return [*self.problems, *(each for child in self.children for each in child.all_problems())]

    def all_notes(self) -> list[str]:
        return [*self.notes, *(each for child in self.children for each in child.all_notes())]

    # Names: what an expression may ask for

    def value(self, path: tuple[str, ...]) -> tuple[Any, int]:
        root, *rest = path
        match root:
            case "var" if rest:
                return self._known(self._variable_values, rest[0], "variable"), 2
            case "local" if rest:
                return self._known(self._local_values, rest[0], "local value"), 2
            case "path" if rest:
                return (self.folder if rest[0] == "module" else "."), 2
            case "terraform" if rest:
                return ("default" if rest[0] == "workspace" else Unknown()), 2
            case "module" if rest:
                return self._remembered(("module", rest[0]), partial(self._called_module, rest[0])), 2
            case "data" if len(rest) > 1:
                return self._remembered(("data", *rest[:2]), partial(self._data, rest[0], rest[1])), 3
            case "each" | "count" | "self":
                raise UserError(Diagnostic("A name without its block", f"`{'.'.join(path)}` has no meaning here."))
            case _ if rest:
                return self._whole((root, rest[0])), 2
            case _:
                raise UserError(Diagnostic("Unknown name", f"`{root}` alone is no value."))

    def read(self, path: str) -> str | None:
        return self.folders.read(path)

    def _known(self, values: Made, name: str, what: str) -> Any:
        if name not in list(values):
            near = did_you_mean(name, list(values))
            raise UserError(Diagnostic("Unknown name", f"{self._place()} declares no {what} `{name}`.{near}"))
        return values[name]

    def _place(self) -> str:
        return self.address or "The configuration"

    def _remembered(self, key: tuple[str, ...], making: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = Unknown((self._full(".".join(key)),))
            self._made[key] = making()
        return self._made[key]

    def _full(self, address: str) -> str:
        return f"{self.address}.{address}" if self.address else address

    def _variable(self, name: str, inputs: Mapping[str, Callable[[], Any]]) -> Any:
        block = self.variables[name]
        value = inputs[name]() if name in inputs else None
        if value is None and "default" in block.attributes:
            value = evaluate(block.attributes["default"], self.scope)
        elif name not in inputs:
            self.notes.append(
                f"{self._full(f'var.{name}')} has no value; what depends on it is unknown (--var {name}=...)"
            )
            return Unknown()
        return typed(value, block.attributes.get("type"), self.scope)

    # Resources

    def _whole(self, labels: tuple[str, str]) -> Any:
        """What `type.name` is: one resource, a list of them by count, or a mapping of them by for_each."""
        block = self.managed.get(labels)
        if block is None:
            raise UserError(Diagnostic("Unknown name", f"{self._place()} declares no resource `{'.'.join(labels)}`."))
        made = self._instances(labels)
        if "count" in block.attributes:
            return [each for _, each in made]
        if "for_each" in block.attributes:
            return {address.rpartition('["')[2][:-2]: each for address, each in made}
        return made[0][1] if made else Unknown((self._full(".".join(labels)),))

    def _instances(self, labels: tuple[str, ...]) -> list[tuple[str, Made]]:
        found = self._remembered(labels, partial(self._make, labels))
        return found if isinstance(found, list) else []  # its count asks for itself

    def _make(self, labels: tuple[str, ...]) -> list[tuple[str, Made]]:
        block, address = self.managed[labels], self._full(".".join(labels))
        return [
            (address + suffix, self._object(block, scope, address + suffix))
            for suffix, scope in self._each(block, address)
        ]

    def _object(self, block: Block, scope: Scope, address: str) -> Made:
        scope = scope.with_names({"self": Unknown((address,))})
        return Made(making_of(block, scope), (address,), computes=True)

    def _each(self, block: Block, address: str) -> list[tuple[str, Scope]]:
        """The suffix and the scope of each instance that count or for_each asks for."""
        if (count := block.attributes.get("count")) is not None:
            number = evaluate(count, self.scope)
            if isinstance(number, Unknown):
                self.notes.append(f"{address}: its count is only known after an apply; one is priced")
                number = 1
            total = int(number_of(number or 0))
            if total > INSTANCES_MAX:
                detail = f"{address} has a count of {total:,}; at most {INSTANCES_MAX:,} of one resource are priced."
                raise UserError(Diagnostic("Too many of one resource", detail))
            return [(f"[{at}]", self.scope.with_names({"count": {"index": at}})) for at in range(total)]
        if (for_each := block.attributes.get("for_each")) is not None:
            of = evaluate(for_each, self.scope)
            if isinstance(of, Unknown):
                self.notes.append(f"{address}: its for_each is only known after an apply; one is priced")
                of = {"(unknown)": Unknown()}
            pairs = list(of.items()) if isinstance(of, Mapping) else [(text_of(item), item) for item in of or []]
            return [
                (f'["{key}"]', self.scope.with_names({"each": {"key": key, "value": value}})) for key, value in pairs
            ]
        return [("", self.scope)]

    def _data(self, kind: str, name: str) -> Any:
        block = self.data.get((kind, name))
        if block is None:
            raise UserError(Diagnostic("Unknown name", f"{self._place()} declares no data `{kind}.{name}`."))
        making = making_of(block, self.scope)
        for key, value in data_values(kind, self._region_of(block, {})).items():
            making[key] = partial(_same, value)
        made = Made(making, (self._full(f"data.{kind}.{name}"),))
        return [made] if "count" in block.attributes else made

    # Modules

    def _called_module(self, name: str) -> Any:
        block = self.calls.get(name)
        if block is None:
            raise UserError(Diagnostic("Unknown name", f"{self._place()} calls no module `{name}`."))
        address = self._full(f"module.{name}")
        folder = self._source(block, name)
        if folder is None:
            return Unknown((address,))
        made: list[tuple[str, Made]] = []
        for suffix, scope in self._each(block, address):
            inputs = making_of(block, scope)
            regions, name = self._regions_for(block), address + suffix
            child = Module(self.folders, folder, name, inputs, regions, self.forced_region, self.above)
            self.children.append(child)
            made.append((suffix, child.outside()))
        if "count" in block.attributes:
            return [each for _, each in made]
        return {suffix[2:-2]: each for suffix, each in made} if "for_each" in block.attributes else made[0][1]

    def outside(self) -> Made:
        """The module's outputs, as who called it sees them."""
        making = {
            name: partial(evaluate, block.attributes["value"], self.scope)
            for name, block in self.outputs.items()
            if "value" in block.attributes
        }
        return Made(making, (self.address,))

    def _source(self, block: Block, name: str) -> str | None:
        source = evaluate(block.attributes.get("source", Literal("")), self.scope)
        if isinstance(source, str) and source.startswith(("./", "../")):
            folder = posixpath.normpath(posixpath.join(self.folder, source))
        else:
            names = [part for part in self._full(f"module.{name}").split(".") if part != "module"]
            folder = self.folders.downloaded(".".join(part.split("[")[0] for part in names)) or ""
        if folder in self.above:
            raise UserError(
                Diagnostic("A module within itself", f"{self._full(f'module.{name}')} calls {source} again.")
            )
        if folder and self.folders.texts(folder) is not None:
            return folder
        self.notes.append(
            f"{self._full(f'module.{name}')}: its source {source} is not on this machine, so nothing in it is priced "
            "(`terraform init` downloads it)"
        )
        return None

    # Regions

    def _own_regions(self, blocks: list[Block]) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for block in blocks:
            if block.kind == "provider" and block.labels and "region" in block.attributes:
                alias = self._watched(
                    "provider", partial(evaluate, block.attributes.get("alias", Literal("")), self.scope)
                )
                region = self._watched("provider", partial(evaluate, block.attributes["region"], self.scope))
                found[block.labels[0], str(alias)] = region if isinstance(region, str) else ""
        return found

    def _regions_for(self, block: Block) -> dict[tuple[str, str], str]:
        """The providers a module is called with."""
        from_outside = {**self.regions}
        passed = block.attributes.get("providers")
        for key, value in getattr(passed, "items", ()):
            inner = str(key.value).split(".") if isinstance(key, Literal) else [key.of.name, key.name]
            from_outside[inner[0], inner[1] if len(inner) > 1 else ""] = self.regions.get(_provider(value), "")
        return from_outside

    def _region_of(self, block: Block, values: Mapping[str, Any]) -> str:
        if self.forced_region:
            return self.forced_region
        own = values.get("region")
        if isinstance(own, str):
            return own
        asked = block.attributes.get("provider")
        key = _provider(asked) if asked else (block.labels[0].split("_")[0], "")
        return self.regions.get(key, self.regions.get((key[0], ""), ""))


def _provider(expression: Expression) -> tuple[str, str]:
    match expression:
        case Attribute(of=Name(name), name=alias):
            return name, alias
        case Name(name):
            return name, ""
        case Literal(str() as text):
            name, _, alias = text.partition(".")
            return name, alias
        case _:
            return "", ""


def _without_made(value: Any) -> Any:
    """A value without the resources in it: who is meant by them is what counts."""
    if isinstance(value, Made):
        return Unknown(value.refs)
    if isinstance(value, Mapping):
        return {key: _without_made(each) for key, each in value.items()}
    return [_without_made(each) for each in value] if isinstance(value, list) else value


def _in_order(texts: Mapping[str, str] | None) -> list[tuple[str, str]]:
    return sorted((texts or {}).items())


def _blocks(text: str, file: str) -> tuple[Block, ...]:
    return (parse_json if file.endswith(".json") else parse)(text, file).blocks
