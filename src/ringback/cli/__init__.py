"""The commands that operators type: clients of the API and of the publisher, one module each.

`group` holds them all; `ringback.__main__` shows them beside the programs. Nothing here may know how the server works.
"""

import click

from ringback.cli import (
    artifact,
    brakes,
    claim,
    class_,
    completion,
    device,
    doctor,
    plan,
    push,
    recover,
    release,
    rollback,
    rollout,
    status,
)

group = click.Group(
    "ringback",
    commands=[
        status.status,
        plan.plan,
        push.push,
        brakes.pause,
        brakes.stop,
        brakes.freeze,
        brakes.resume,
        rollback.rollback,
        recover.recover,
        doctor.doctor,
        device.group,
        class_.group,
        artifact.group,
        release.group,
        rollout.group,
        claim.group,
        completion.command,
    ],
)
