"""What is left when everything breaks: jobs under faults, the same faults on plain Celery, and a long quiet run.

Real processes and real servers; what happens when is decided by a seed. `run.py` tells the story of one run.
"""
