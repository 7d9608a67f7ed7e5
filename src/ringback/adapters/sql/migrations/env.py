"""Alembic's entry: runs the scripts of `versions` on the connection that `migrations.upgrade` opened."""

from alembic import context

from ringback.adapters.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
