"""Makes docs/reference/cli.md from the commands themselves, so that it can't be out of date.

Run: python -m ringback.cli.reference > docs/reference/cli.md (a test compares the two).
"""

import inspect
from collections.abc import Iterator

import click

from ringback.cli import group
from ringback.cli.codes import MEANINGS
from ringback.cli.exits import MEANING
from ringback.cli.session import SHARED_NAMES

INTRODUCTION = """\
# The `ringback` command

*Made by `python -m ringback.cli.reference`; a test compares it with the commands.*

- stdout is data, stderr is talk. With `--json`, stdout is JSON and nothing else; what goes on (`rollout watch`) is one
  line of JSON per event.
- A change that takes something away shows first what it will do. It then asks; `--yes` answers, and is needed where
  nobody is at the terminal. `--dry-run` only shows.
- An error is two lines on stderr: `Error: <code>: <what was found and expected>` and `hint: <what to do>`.
- Meaning is never in a colour alone. `NO_COLOR=1` switches colours off.
- Shells complete the commands after `ringback completion bash > ~/.local/share/bash-completion/completions/ringback`.

## Server and token

Every command that asks a server takes `--server URL`, `--token TOKEN` and `--json`. Without the first two it reads
`RINGBACK_SERVER` and `RINGBACK_TOKEN`, then `~/.config/ringback/config.toml`:

```toml
server = "https://ota.example.com"
token = "..."
```

Without any of these it is the server on this machine, which takes a caller without a token for its administrator.

## Exit codes

| code | means |
|---|---|
"""


ERRORS = """\
## Error codes

What the server refuses has the server's code. These are the command's own.

| code | means |
|---|---|
"""


def document() -> str:
    """Return the whole page."""
    codes = "".join(f"| {int(code)} | {meaning} |\n" for code, meaning in MEANING.items())
    errors = "".join(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())
    return f"{INTRODUCTION}{codes}\n{ERRORS}{errors}\n## Commands\n\n" + "\n".join(_sections(group, ("ringback",)))


def commands(of: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below a group with the words that call it, in order of name."""
    for name, command in sorted(of.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def _sections(of: click.Group, path: tuple[str, ...]) -> Iterator[str]:
    for words, command in commands(of, path):
        context = click.Context(command, info_name=" ".join(words))
        yield f"### {' '.join(words)}\n"
        yield f"```\n{' '.join((' '.join(words), *_usage(command, context)))}\n```\n"
        yield f"{_prose(command.help or '')}\n"
        rows = [_row(parameter, context) for parameter in command.params if parameter.name not in SHARED_NAMES]
        listed = "".join(f"| `{names}` | {text} |\n" for names, text in rows if text)
        if listed:
            yield f"| option | |\n|---|---|\n{listed}"
        yield f"{_examples(command.epilog or '')}"


def _usage(command: click.Command, context: click.Context) -> list[str]:
    """Return the arguments, and whether there are options."""
    pieces = command.collect_usage_pieces(context)
    return pieces if any(parameter.name != "help" for parameter in command.params) else pieces[1:]


def _row(parameter: click.Parameter, context: click.Context) -> tuple[str, str]:
    if not isinstance(parameter, click.Option):
        return "", ""
    record = parameter.get_help_record(context)
    return (record[0], record[1]) if record else ("", "")


def _prose(text: str) -> str:
    return inspect.cleandoc(text).replace("\b\n", "")


def _examples(epilog: str) -> str:
    lines = [line.strip() for line in epilog.splitlines() if line.startswith("  ")]
    return "```\n" + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    click.echo(document(), nl=False)
