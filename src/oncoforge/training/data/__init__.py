"""The data path: which patch of which case an item is, and what happens to it."""
