"""The promises that are about processes, shown with real ones."""
