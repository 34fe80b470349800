"""Faults, by a program: `python -m tests.chaos --seed 1 --minutes 5`. See docs/chaos.md."""
