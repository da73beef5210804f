"""Which version of a model gave each answer, as far as its endpoint says."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. Of answers that are there nobody knows."""
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.String(length=256), nullable=True))


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.drop_column("version")
