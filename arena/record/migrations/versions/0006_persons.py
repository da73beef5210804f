"""One person is one voter of a stage: what is known of who has come, kept for each stage, and after a withdrawal."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.drop_table("identities")
    op.create_table(
        "persons",
        sa.Column("stage_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.CheckConstraint("kind IN ('login', 'invitation')", name=op.f("ck_persons_kind")),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_persons_stage_id")),
        sa.PrimaryKeyConstraint("stage_id", "digest", name=op.f("pk_persons")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_persons_subject", "persons", ["subject"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_persons_subject", table_name="persons")
    op.drop_table("persons")
    op.create_table(
        "identities",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_identities")),
        sa.UniqueConstraint("subject", name=op.f("uq_identities_subject")),
    )
