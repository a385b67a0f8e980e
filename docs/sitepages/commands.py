"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator
from typing import Any

import typer

from sitepages.text import fenced, prose, table
from trainingdoctor.cli import app

HELP = "--help"


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` tells them."""
    root = typer.main.get_command(app)
    commands: dict[str, Any] = vars(root)["commands"]
    whole = typer.Context(root, info_name="trainingdoctor")
    text = (
        f"# Commands\n\n{prose(root.help or '')} What `trainingdoctor COMMAND --help` prints, from the same source.\n\n"
    )
    text += table(("", ""), ((f"[`{name}`](#{name})", prose(_first(command))) for name, command in commands.items()))
    text += f"\nOf `trainingdoctor` itself:\n\n{_options(root, whole)}\nExit codes are those of [the settings page](settings.md#exit-codes).\n"
    return text + "".join(_command(name, command, whole) for name, command in commands.items())


def _first(command: Any) -> str:
    return str(command.help or "").strip().partition("\n")[0]


def _command(name: str, command: Any, whole: typer.Context) -> str:
    context = typer.Context(command, info_name=name, parent=whole)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = "\n\n".join(prose(p) for p in str(command.help or "").strip().split("\n\n"))
    return f"\n## {name}\n\n{fenced(usage)}\n{paragraphs}\n\n{_arguments(command)}\n{_options(command, context)}"


def _arguments(command: Any) -> str:
    rows = [(f"`{p.name}`", prose(p.help or "")) for p in command.params if p.param_type_name == "argument"]
    return table(("argument", ""), rows) if rows else ""


def _options(command: Any, context: typer.Context) -> str:
    return table(("option", ""), _records(command, context))


def _records(command: Any, context: typer.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if parameter.param_type_name == "option" else None
        if record is not None and HELP not in record[0]:
            yield f"`{record[0]}`", prose(record[1])
