"""When live standings may be shown to everybody: where the stage file opens them, while votes are taken, and only above a declared number of votes."""

from arena.domain.stage import Stage
from arena.results.live.leaderboard import Snapshot


def votes_missing(seen: Snapshot, stage: Stage) -> int:
    """Count the votes that the entrant with the fewest still needs before anything is shown; 0 once every entrant has as many as declared."""
    if seen.ratings is None:
        return stage.leaderboard_votes
    fewest = min(row.n_votes for row in seen.ratings.by_rank())
    return max(0, stage.leaderboard_votes - int(fewest))
