"""Commands that are imported when they are used, with the options of the connection in any place."""

import copy
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from ipgate.cli.endpoint import Endpoint

_WITHOUT_CONNECTION = frozenset(
    {"serve", "descriptors", "doctor", "export", "import", "reset-root"}
)
"""Commands that start a server or work on the store."""

_OF_CONNECTION = frozenset(field.name for field in fields(Endpoint))


class LazyGroup(TyperGroup):
    """A group of the commands in `targets`, each a module of this package and a name in it.

    Importing all of them takes longer than most commands.
    """

    targets: ClassVar[dict[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self.targets)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        target = self.targets.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command = _as_command(getattr(import_module(f"ipgate.cli.{module}"), name), cmd_name)
        _accept_anywhere(
            command, [option for option in self.params if option.name in _OF_CONNECTION]
        )
        return command


def _as_command(target: Any, name: str) -> Any:
    if isinstance(target, typer.Typer):
        command: Any = get_group(target)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(target)
        command = get_command(single)
    command.name = name
    return command


def _accept_anywhere(command: Any, options: Sequence[Any]) -> None:
    """Let a command, or all commands of a group, take the options of the connection as well."""
    if isinstance(command, TyperGroup):
        for member in command.commands.values():
            _accept_anywhere(member, options)
    elif command.name not in _WITHOUT_CONNECTION:
        names = {parameter.name for parameter in command.params}
        command.params += [_again(option) for option in options if option.name not in names]


def _again(option: Any) -> Any:
    """Return an option that overrides the one before the command."""
    again = copy.copy(option)
    again.default, again.envvar, again.show_default = None, None, False
    again.expose_value, again.callback = False, _override
    again.rich_help_panel = "Connection"
    return again


def _override(context: Any, parameter: Any, value: Any) -> None:
    if value is not None:
        root = context.find_root()
        root.obj = replace(root.obj, **{parameter.name: value})
