"""Runs the migrations on the connection that `arena.record.database` lends."""

from typing import Any, Literal

from alembic import context

from arena.record.tables import Moment, metadata


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Name the database's types in a migration, not ours: ours may change, a migration may not."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Moment) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=_render,
    render_as_batch=True,
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
