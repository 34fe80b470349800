"""Measurements, each with the ways it is compared with, in one run."""
