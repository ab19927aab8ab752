"""Tiny checkpoints with random weights in the layout of the hub: real classes, real files, no downloads."""
