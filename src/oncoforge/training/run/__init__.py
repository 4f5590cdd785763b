"""A run: its recipe, its folder, and the way on after an interruption."""
