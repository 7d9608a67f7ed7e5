"""`ringback completion`: prints what makes a shell complete ringback's commands."""

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

from ringback.cli import base, output

VARIABLE = "_RINGBACK_COMPLETE"
PROGRAM = "ringback"
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/ringback",
    "zsh": "~/.zfunc/_ringback",
    "fish": "~/.config/fish/completions/ringback.fish",
}


@click.command(
    "completion",
    cls=base.Command,
    context_settings=base.CONTEXT,
    epilog=base.epilog(["ringback completion bash > " + PLACES["bash"], 'eval "$(ringback completion zsh)"']),
)
@click.argument("shell", type=click.Choice(sorted(PLACES)), required=False)
@click.pass_context
def command(ctx: click.Context, shell: str | None) -> None:
    """Print what completes ringback's commands in a shell.

    Without SHELL it is the one that you use.
    """
    wanted = shell or PurePath(os.environ.get("SHELL", "")).name
    found = get_completion_class(wanted) if wanted in PLACES else None
    if found is None:
        raise click.UsageError(f"can't tell which shell you use; name one of {', '.join(sorted(PLACES))}", ctx)
    click.echo(found(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
    output.talk(f"next: put this into {PLACES[wanted]} and open a new shell")
