"""Seconds, gigabytes and dollars of every model on a real GPU, without its weights: full size, random numbers."""
