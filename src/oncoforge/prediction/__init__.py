"""From CT to masks: sliding windows, gates, ensembles, and what is done with a mask then."""
