"""The console's tabs: each makes sections from facts and words."""
