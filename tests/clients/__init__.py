"""GitHub's clients as people have them, unmodified, with a reader as their base URL."""
