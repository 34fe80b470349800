"""Finds deliveries of GitHub's webhooks that were lost, and asks for them again."""
