"""What a vote's first question was, as a key, and the stage's own key that such keys are made with."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. Votes that are there were sealed without it; stages that have not frozen get their key."""
    with op.batch_alter_table("stages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("question_key", sa.String(length=64), nullable=True))
    with op.batch_alter_table("votes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("question", sa.String(length=96), nullable=True))
    stages = sa.table("stages", sa.column("id"), sa.column("frozen_at"), sa.column("question_key"))
    connection = op.get_bind()
    for (stage,) in connection.execute(sa.select(stages.c.id).where(stages.c.frozen_at.is_(None))).all():
        key = secrets.token_hex(32)
        connection.execute(sa.update(stages).where(stages.c.id == stage).values(question_key=key))


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("votes", schema=None) as batch_op:
        batch_op.drop_column("question")
    with op.batch_alter_table("stages", schema=None) as batch_op:
        batch_op.drop_column("question_key")
