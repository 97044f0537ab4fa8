"""Writes the reference pages that are made from the source: `python docs/generate.py`.

The pages are kept in the repository, so that they can be read there; a test compares them with what this makes.
"""

from __future__ import annotations

import inspect
import runpy
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib import resources
from pathlib import Path

import attrs
import click

REFERENCE = Path(__file__).parent / "reference"
MADE_FROM = "<!-- Made by docs/generate.py from {source}. Edit that, then run it again. -->\n\n"


def errors_page() -> str:
    """Every error code with its explanation, from ``codes.toml``."""
    codes = tomllib.loads(resources.files("flowforge").joinpath("codes.toml").read_text(encoding="utf-8"))
    parts = [
        MADE_FROM.format(source="flowforge/codes.toml"),
        "# Errors by code\n\n",
        "Codes are stable. `flowforge explain CODE` shows the same text without a network. What to try first is in\n",
        "[find out what went wrong](../troubleshooting.md).\n",
    ]
    for prefix, field in FIELDS.items():
        inside = {code: entry for code, entry in codes.items() if code.startswith(prefix)}
        if inside:
            parts.append(f"\n## {prefix}xx: {field}\n")
        for code, entry in inside.items():
            parts.append(f"\n### {code}\n\n**{entry['title']}.** {flow(entry['text'])}\n")
    return "".join(parts)


FIELDS = {
    "FF10": "files of configuration",
    "FF11": "files of models",
    "FF12": "names and the graph",
    "FF13": "profiles, settings, environment",
    "FF14": "templates",
    "FF20": "running models",
    "FF21": "what an engine reports",
    "FF22": "seeds",
    "FF23": "state and cache",
    "FF30": "checks and unit tests",
    "FF40": "plugins",
    "FF50": "selection",
    "FF64": "the command line",
    "FF99": "defects of FlowForge itself",
}


def flow(text: str) -> str:
    """A text that was wrapped for a terminal, as one paragraph per blank-line block."""
    blocks = text.strip().split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)


def plain(docstring: str | None) -> str:
    """A docstring as Markdown: one backtick where reStructuredText has two."""
    return (docstring or "").replace("``", "`")


def hooks_page() -> str:
    """Every hook with its exact arguments, from ``hookspecs.py``."""
    from flowforge import hookspecs

    def section(names: tuple[str, ...]) -> Iterator[str]:
        for name in names:
            function: Callable[..., object] = getattr(hookspecs, name)
            signature = inspect.signature(function)
            arguments = ", ".join(signature.parameters)
            yield f"\n### {name}({arguments})\n\n{plain(inspect.getdoc(function))}\n\n"
            typed = ", ".join(f"{each.name}: {each.annotation}" for each in signature.parameters.values())
            yield f"```python\ndef {name}({typed}) -> {signature.return_annotation}: ...\n```\n"

    return "".join(
        [
            MADE_FROM.format(source="flowforge/hookspecs.py"),
            "# Hooks\n\n",
            plain(inspect.getdoc(hookspecs)),
            "\n\nA plugin is a module (or class) that an entry point of the group `flowforge` names. It marks its\n",
            "functions with `flowforge.hookimpl`; see [write an engine](../plugins/write-an-engine.md). A hook may\n",
            "leave out arguments that it does not need.\n\n## Offers\n",
            *section(hookspecs.OFFERS),
            "\n## Notices\n",
            *section(hookspecs.NOTICES),
        ]
    )


def cli_page() -> str:
    """Every command with its arguments and options, from the click tree."""
    from flowforge.cli.main import cli

    parts = [
        MADE_FROM.format(source="the commands themselves"),
        "# Command line\n\n",
        "The answer (SQL, rows, lists, JSON) goes to standard output; progress and errors go to standard error.\n\n",
        "## Exit codes\n\n| code | meaning |\n| --- | --- |\n",
        *(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items()),
    ]
    everywhere = {param.name or "" for param in cli.params}
    for path, command in walk(cli, ("flowforge",)):
        parts.append(command_section(path, command, everywhere))
    return "".join(parts)


EXIT_CODES = {
    "0": "everything went well; checks that only warn count as well",
    "1": "a model or a seed failed, a check or a unit test could not run, or the project has an error",
    "2": "a check or a unit test failed",
    "5": "nothing was selected",
    "64": "the command line makes no sense",
    "99": "a defect of FlowForge itself",
    "130, 143": "interrupted (Ctrl-C), terminated",
}


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and everything below it, in the order in which `--help` lists it; commands of plugins are left out."""
    from flowforge.cli.main import COMMANDS

    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in COMMANDS if len(path) == 1 else command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from walk(inner, (*path, name))


def command_section(path: tuple[str, ...], command: click.Command, everywhere: Collection[str]) -> str:
    """One command as Markdown; options that all commands take are left to the first section."""
    context = click.Context(command, info_name=" ".join(path))
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if len(path) > 1:
        options = [each for each in options if each.name not in everywhere]
    arguments = [piece for each in command.params for piece in each.get_usage_pieces(context)]
    below = ["COMMAND [ARGS]..."] if isinstance(command, click.Group) else []
    usage = " ".join([*path, *(["[OPTIONS]"] if command.params else []), *arguments, *below])
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"\n## {' '.join(path)}\n\n```text\n{usage}\n```\n\n{text}\n"]
    if len(path) == 1:
        lines.append("\nThese options may stand before or after the name of a command:\n")
    if options:
        lines += ["\n| option | what it does |\n| --- | --- |\n", *(option_row(each, context) for each in options)]
    return "".join(lines)


def option_row(option: click.Option, context: click.Context) -> str:
    """One line of a table of options."""
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag and not option.count:
        choices = option.type.choices if isinstance(option.type, click.Choice) else ()
        value = " \\| ".join(f"`{choice}`" for choice in choices)
        names += f" {value or f'`{option.metavar or option.type.name.upper()}`'}"
    facts = [*(["required"] if option.required else []), *(["repeatable"] if option.multiple else [])]
    default = option.get_default(context, call=False)
    if isinstance(default, str | int | float) and not isinstance(default, bool) and not option.count:
        facts.append(f"default: `{default}`")
    variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    if variables:
        facts.append("variable: " + ", ".join(f"`{name}`" for name in variables))
    text = " ".join((option.help or "").split()).replace("|", "\\|")
    tail = f" ({'; '.join(facts)})" if facts else ""
    return f"| {names} | {text}{tail} |\n"


def checks_page() -> str:
    """Every built-in check with its parameters, from the checks themselves."""
    from flowforge.checks.builtin import CHECKS

    parts = [
        MADE_FROM.format(source="flowforge/checks"),
        "# Checks\n\n",
        "What comes with FlowForge; plugins bring more, and `flowforge plugins` lists them. How to declare a check, and\n",
        "the keys that all of them share, is in [add checks](../how-to/add-checks.md).\n",
    ]
    for check in CHECKS:
        parts.append(f"\n## {check.name}\n\n{plain(check.summary)}\n\n| parameter | default |\n| --- | --- |\n")
        for field in attrs.fields(check.params):
            aliases = "".join(f", also `{alias}`" for alias in field.metadata.get("aliases", ()))
            default = "needed" if field.default is attrs.NOTHING else f"`{yaml_word(field.default)}`"
            parts.append(f"| `{field.name}`{aliases} | {default} |\n")
    return "".join(parts)


def yaml_word(value: object) -> str:
    """A default as it would be written in YAML."""
    words = {None: "null", True: "true", False: "false", (): "[]"}
    return words[value] if value is None or isinstance(value, bool | tuple) else str(value)


def engines_page() -> str:
    """What engines claim and how that was tested, from what runs have recorded."""
    text: str = runpy.run_path(str(Path(__file__).with_name("engines.py")))["page"]()
    return MADE_FROM.format(source="docs/data, which `FF_RECORD=1 nox -s conformance` writes") + text


PAGES: Mapping[str, Callable[[], str]] = {
    "checks.md": checks_page,
    "cli.md": cli_page,
    "engines.md": engines_page,
    "errors.md": errors_page,
    "hooks.md": hooks_page,
}


def main() -> None:
    """Write all pages, and say which of them changed."""
    for name, make in PAGES.items():
        path, text = REFERENCE / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
