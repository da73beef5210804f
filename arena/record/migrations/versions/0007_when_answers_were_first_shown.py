"""When a citizen saw the first of an answer: a vote that comes too soon after it was not read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("first_shown_ms", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.drop_column("first_shown_ms")
