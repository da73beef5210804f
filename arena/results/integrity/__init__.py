"""Who votes strangely: tests of voters and of groups, and what they propose. People decide."""
