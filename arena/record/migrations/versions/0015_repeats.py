"""Which battle shows an earlier one of the same citizen again."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

REPEATS = sa.text("repeat_of IS NOT NULL")


def upgrade() -> None:
    """Forward."""
    with op.batch_alter_table("battles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("repeat_of", sa.BigInteger(), nullable=True))
    columns = ["stage_id", "repeat_of"]
    op.create_index(
        "ix_battles_repeats", "battles", columns, unique=True, sqlite_where=REPEATS, postgresql_where=REPEATS
    )


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_battles_repeats", table_name="battles")
    with op.batch_alter_table("battles", schema=None) as batch_op:
        batch_op.drop_column("repeat_of")
