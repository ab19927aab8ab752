"""How much the queue costs: submitting, a job's overhead, and the device's idle time between two jobs.

Times on a shared machine say little; each figure is a ratio, or a share, of two things measured in the same run.
"""
