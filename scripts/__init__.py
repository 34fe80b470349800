"""What runs the whole system on one machine: for trying it, and for the tests."""
