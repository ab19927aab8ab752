"""How jobs get done: one resident pipeline, fed from one queue."""
