"""What a stage is bound to at its opening, in each checkpoint; what witnesses and time-stamping authorities have said of them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. Checkpoints that are there were signed without an opening."""
    with op.batch_alter_table("stages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("file_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("beacon", sa.String(length=256), nullable=True))
        batch_op.add_column(sa.Column("opening", sa.Text(), nullable=True))
    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.add_column(sa.Column("opening", sa.String(length=64), nullable=True))
    op.create_table(
        "cosignatures",
        sa.Column("stage_id", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=64), nullable=False),
        sa.Column("known_since", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_cosignatures_stage_id")),
        sa.PrimaryKeyConstraint("stage_id", "size", "witness", name=op.f("pk_cosignatures")),
    )
    op.create_table(
        "timestamps",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("stage_id", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("tsa", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_timestamps_stage_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_timestamps")),
    )
    op.create_index("ix_timestamps_stage_id_size", "timestamps", ["stage_id", "size"])


def downgrade() -> None:
    """Back."""
    op.drop_table("timestamps")
    op.drop_table("cosignatures")
    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.drop_column("opening")
    with op.batch_alter_table("stages", schema=None) as batch_op:
        batch_op.drop_column("opening")
        batch_op.drop_column("beacon")
        batch_op.drop_column("file_at")
