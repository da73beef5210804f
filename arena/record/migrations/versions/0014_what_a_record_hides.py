"""What a vote's record hides, with the nonce that hides it; its promise; and leaks by their name: marks are what people give answers."""

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. Votes that are there were sealed without a nonce and promised nothing; what was marked in them is in their record."""
    with op.batch_alter_table("votes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("leaks", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("nonce", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("promise", sa.Text(), nullable=True))
    votes = sa.table(
        "votes",
        sa.column("seq"),
        sa.column("marked", sa.Boolean()),
        sa.column("record", sa.LargeBinary()),
        sa.column("leaks", sa.JSON()),
    )
    connection = op.get_bind()
    for seq, record in connection.execute(sa.select(votes.c.seq, votes.c.record).where(votes.c.marked)).all():
        leaks = orjson.loads(record)["marks"]
        connection.execute(sa.update(votes).where(votes.c.seq == seq).values(leaks=leaks))
    # By hand: a batch would copy the whole table, which the ledger's order refers to.
    op.execute("ALTER TABLE votes DROP COLUMN marked")
    op.execute("ALTER TABLE answers RENAME COLUMN marks TO leaks")
    op.execute("ALTER TABLE turns RENAME COLUMN marks TO flags")


def downgrade() -> None:
    """Back."""
    op.execute("ALTER TABLE turns RENAME COLUMN flags TO marks")
    op.execute("ALTER TABLE answers RENAME COLUMN leaks TO marks")
    op.execute("ALTER TABLE votes ADD COLUMN marked BOOLEAN NOT NULL DEFAULT false")
    op.execute("UPDATE votes SET marked = leaks IS NOT NULL")
    for column in ("promise", "nonce", "leaks"):
        op.execute(f"ALTER TABLE votes DROP COLUMN {column}")
