"""Rules of HTTP that both sides need, pure; one rule a file."""
