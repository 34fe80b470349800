"""The page `/operations`: which of GitHub's read operations are served, and why the rest is not."""
