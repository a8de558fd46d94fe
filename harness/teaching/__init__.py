"""The stone: the same step in four languages, side by side, as pages for learners and teachers."""
