"""What every request passes: its size, where it came from, how many there were, and what browsers may do with it."""
