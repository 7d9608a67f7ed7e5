"""`ringback agent`: starts the agent of a Linux box, and shows what a running one does.

stdout is data, stderr is talk and the log. Exit codes: 0 ended as told, 1 cannot start or no agent answers, 2 wrong
command line, 75 start me again (a reboot of a box without a reboot command).
"""

import json
import sys
from pathlib import Path

import click

from ringback.errors import RingbackError

STATE = click.option(
    "--state",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds everything this box knows.",
)


@click.group(name="agent", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def command() -> None:
    """Run the agent of a Linux box, or look at a running one."""


@command.command("run")
@STATE
@click.option("--server", default="", help="Address of the server; needed once, to enrol.")
@click.option("--claim", default="", help="Token that lets this box enrol; needed once.")
@click.option("--serial", default="", help="Serial number of this box; needed once.")
@click.option("--class", "device_class", default="", help="Device class of this box; needed once.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Label of this box; may be given several times.")
def run(state: Path, *, server: str, claim: str, serial: str, device_class: str, labels: tuple[str, ...]) -> None:
    """Run the agent in the foreground.

    SIGTERM ends the agent and leaves the services running for the next one; Ctrl-C ends both.
    """
    from ringback.agent.main import Agent, Options

    pairs = {}
    for label in labels:
        key, found, value = label.partition("=")
        if not found or not key:
            raise click.BadParameter(f"{label!r} is no label; expected KEY=VALUE", param_hint="--label")
        pairs[key] = value
    options = Options(state=state, server=server, claim=claim, serial=serial, device_class=device_class, labels=pairs)
    try:
        code = Agent(options).run()
    except RingbackError as error:
        _complain(error)
        code = 1
    sys.exit(code)


@command.command("status")
@STATE
@click.option("--json", "as_json", is_flag=True, help="Print the whole status as JSON.")
def status(state: Path, *, as_json: bool) -> None:
    """Show what the agent on this folder does."""
    from ringback.agent import device_file, folder, local

    try:
        owner = device_file.load(state / "device.toml")
        found = local.read_status(folder.of(state, owner).run_dir)
    except RingbackError as error:
        _complain(error)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(found, indent=1, sort_keys=True))
        return
    for key in sorted(found):
        value = found[key]
        click.echo(f"{key}: {value if isinstance(value, str | int) else json.dumps(value, sort_keys=True)}")


def _complain(error: RingbackError) -> None:
    click.echo(f"Error: {error.code}: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
