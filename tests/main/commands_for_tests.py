"""Commands that the tests find by entry point."""

import click


@click.command()
@click.option("--name", required=True)
def good(name):
    """Says its name."""
    click.echo(f"good {name}")


not_a_command = 42
