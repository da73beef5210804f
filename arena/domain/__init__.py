"""The words as values, without effects: stage, citizen, battle, vote."""
