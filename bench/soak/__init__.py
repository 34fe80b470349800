"""`make bench-soak`: an hour of a fleet's life, compressed into minutes, with rude clients about."""
