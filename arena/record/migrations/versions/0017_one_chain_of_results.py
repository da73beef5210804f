"""What was proposed for review at a freeze, and each stage's one chain of published exports."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. A stage that was published before has no chain: nothing of it was kept that could begin one."""
    op.create_table(
        "reviews",
        sa.Column("stage_id", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_reviews_stage_id")),
        sa.PrimaryKeyConstraint("stage_id", name=op.f("pk_reviews")),
    )
    op.create_table(
        "finals",
        sa.Column("stage_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("export_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("beside", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_finals_stage_id")),
        sa.PrimaryKeyConstraint("stage_id", "n", name=op.f("pk_finals")),
        sa.UniqueConstraint("export_id", name=op.f("uq_finals_export_id")),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("finals")
    op.drop_table("reviews")
