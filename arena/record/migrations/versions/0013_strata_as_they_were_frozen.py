"""What the voters of a stage had said of themselves when it froze: kept until its retention ends."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. Of stages that froze before, only what follows from it was kept."""
    with op.batch_alter_table("sidecars", schema=None) as batch_op:
        batch_op.add_column(sa.Column("strata", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("sidecars", schema=None) as batch_op:
        batch_op.drop_column("strata")
