"""How are verbs listed, loaded and explained? A Typer group that loads a verb when it is called.

Help is plain text: a sentence, the options by purpose, an example. It reads the same with and
without colour, wraps to the terminal, and costs no import of Rich.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as command_of

from weyr.cli.main import version_line

VerbTable = Mapping[str, Mapping[str, str]]
Loader = Callable[[str], typer.Typer]

COMPLETE = "_WEYR_COMPLETE"
"""The variable by which a shell asks what a line may go on with."""
EPILOG = "Every verb explains itself: weyr VERB --help. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."


@dataclass(frozen=True, slots=True)
class Session:
    """What every verb gets to know of the call: the data folder."""

    home: Path


class Purposes:
    """What a command's help has: its options listed by purpose, and its example with its lines kept."""

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                fallback = "Arguments" if param.param_type_name == "argument" else "Options"
                panel = getattr(param, "rich_help_panel", None) or fallback
                panels.setdefault(panel, []).append(record)
        for panel, records in sorted(panels.items(), key=lambda item: _panel_order(item[0])):
            with formatter.section(panel):
                formatter.write_dl(records)

    def format_epilog(self: Any, ctx: Any, formatter: Any) -> None:
        if self.epilog:
            with formatter.section("Example"):
                for line in inspect.cleandoc(self.epilog).splitlines():
                    formatter.write(f"  {line}\n")


class Verb(Purposes, TyperCommand):
    """A command whose options are listed by purpose and whose example keeps its lines."""


class VerbWithParts(Purposes, TyperGroup):
    """A verb that does something by itself and has verbs of its own below it: `weyr cost`, `weyr cost close`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


class VerbOrName(VerbWithParts):
    """A verb with verbs below it, one of which is meant where none is named: `weyr prices A100` finds A100."""

    meant = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        if self.meant and args and not is_named:
            args = [self.meant, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        meant = self.commands[self.meant]
        inner = meant.make_context(self.meant, [], parent=ctx, resilient_parsing=True)
        words = [found for param in meant.get_params(inner)[:1] for found in param.shell_complete(inner, incomplete)]
        return [*super().shell_complete(ctx, incomplete), *words]


class VerbGroup(TyperGroup):
    """The root: knows every verb's name and sentence, and loads the one that is called."""

    verbs: VerbTable
    load: Loader
    is_listing = False
    """While a shell asks for the names only, no verb is loaded to tell its sentence."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in self.verbs.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        if self.is_listing:
            sentences = {name: text for verbs in self.verbs.values() for name, text in verbs.items()}
            return TyperCommand(cmd_name, help=sentences[cmd_name])
        if cmd_name not in self.commands:
            self.commands[cmd_name] = command_of(self.load(cmd_name))
        return self.commands[cmd_name]

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self.is_listing = True
        return super().shell_complete(ctx, incomplete)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # The suggestion for a mistyped verb is drawn from the loaded ones, and none is loaded yet.
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            self.commands = dict.fromkeys(self.list_commands(ctx), TyperCommand("unloaded"))
            self.verbs = {}
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for purpose, verbs in self.verbs.items():
            with formatter.section(purpose):
                formatter.write_dl(list(verbs.items()))


def root_command(verbs: VerbTable, load: Loader) -> Any:
    """The `weyr` command itself, with its global options."""
    app = typer.Typer(cls=VerbGroup, add_completion=False, rich_markup_mode=None, epilog=EPILOG, no_args_is_help=True)
    app.callback()(_global_options)
    group = command_of(app)
    assert isinstance(group, VerbGroup)
    group.verbs, group.load = verbs, load
    return group


def verb_app(sentence: str = "") -> typer.Typer:
    """An app for one verb's module; with several commands in it, `sentence` is the group's help."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, help=sentence or None, no_args_is_help=True)


def verb(app: typer.Typer, example: str, name: str | None = None) -> Callable[[Callable[..., None]], None]:
    """Registers a function as the verb of `app`. Its docstring is the help, `example` is run in CI."""

    def register(function: Callable[..., None]) -> None:
        app.command(name, cls=Verb, epilog=example)(function)

    return register


def whole_verb(app: typer.Typer, example: str) -> Callable[[Callable[..., None]], None]:
    """Registers what an app with several verbs does where none of them is named. It is called for each of them too:
    it leaves off where `ctx.invoked_subcommand` is one."""

    def register(function: Callable[..., None]) -> None:
        app.info.no_args_is_help = False
        app.callback(cls=VerbWithParts, invoke_without_command=True, epilog=example, no_args_is_help=False)(function)

    return register


def named_verb(app: typer.Typer, meant: str, example: str) -> None:
    """Lets `meant`, one of the verbs of `app`, stand for the app where none of them is named."""

    def nothing() -> None:
        pass

    group = type("VerbOrName", (VerbOrName,), {"meant": meant})
    app.info.no_args_is_help = True
    app.callback(cls=group, epilog=example, no_args_is_help=True, help=app.info.help)(nothing)


def _global_options(
    ctx: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="WEYR_HOME", help="Where Weyr keeps its data.", show_default="~/.weyr")
    ] = Path("~/.weyr"),
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")] = False,
    version_: Annotated[
        bool, typer.Option("--version", callback=lambda value: _print_version(value), is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """One file describes an AI system; Weyr plans it, brings it up, keeps it that way and accounts for it."""
    if no_color:
        os.environ["NO_COLOR"] = "1"
    ctx.obj = Session(home.expanduser().absolute())


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(version_line())
        raise typer.Exit


def _panel_order(panel: str) -> int:
    return {"Arguments": 0, "Options": 8}.get(panel, 4)
