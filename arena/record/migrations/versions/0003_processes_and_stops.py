"""The processes that serve, and a citizen's wish to stop that any of them may write."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ASKED = sa.text("stop_requested_at IS NOT NULL")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("stage_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("entrants", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_processes_stage_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    with op.batch_alter_table("battles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stop_requested_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_battles_stopping", "battles", ["lease_owner"], sqlite_where=ASKED, postgresql_where=ASKED)


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_battles_stopping", table_name="battles")
    with op.batch_alter_table("battles", schema=None) as batch_op:
        batch_op.drop_column("stop_requested_at")
    op.drop_table("processes")
