"""Benchmark runs: datasets into the fleet, jobs through the same queues as production, measures afterwards."""
