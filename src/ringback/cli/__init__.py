"""The commands that operators type: clients of the API and of the publisher, one module each.

`group` holds them all; `ringback.__main__` shows them beside the programs. Nothing here may know how the server works.
"""

import click

from ringback.cli import claim, completion

group = click.Group("ringback", commands=[claim.group, completion.command])
