"""How much of an answer its citizen was handed: a vote on what nobody listened to was not read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. What is there was released as a whole, and by the rule of its time that is what was shown."""
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shown_chars", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE answers SET shown_chars = length(text)")
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.alter_column("shown_chars", server_default=None)


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.drop_column("shown_chars")
