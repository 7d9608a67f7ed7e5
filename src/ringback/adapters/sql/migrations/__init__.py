"""Schema versions. Released ones never change; each released schema is kept as an upgrade fixture in the tests.

Alembic is imported only when there is something to migrate: a server that restarts in a hurry must not pay for it.
"""

from pathlib import Path

import sqlalchemy as sa

HEAD = "0001"
"""The revision this version writes: four digits, rising. A test compares this with Alembic's own head."""


def upgrade(engine: sa.Engine) -> None:
    """Bring the database to `HEAD`, in one transaction."""
    from alembic import command

    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def configuration() -> "alembic.config.Config":  # type: ignore[name-defined]  # noqa: F821
    """Return Alembic's configuration for the scripts beside this file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
