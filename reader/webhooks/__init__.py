"""GitHub's webhooks, by which readers learn of changes.

- `receiver`: verifies a delivery, invalidates the affected resources and enqueues their refreshes.
- `affected_resources`: the resources that an event affects.
"""
