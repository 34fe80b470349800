"""`make bench-soak`: an hour of a fleet's load in minutes, with slow and rude clients."""
