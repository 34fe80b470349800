"""What readers and refreshers must agree on. Imports neither."""
