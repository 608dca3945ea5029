"""What alembic runs: the steps, on the connection that `migrate` holds."""

from alembic import context

from plantid_core.store.history.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite's can be rolled back as well, once begun by hand (see `engine`).
    transactional_ddl=True,
)
context.run_migrations()
