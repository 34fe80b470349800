"""`make bench-soak`: an hour of a fleet's life, in minutes, with rude clients about."""
