"""What the CPU does for a job, measured beside a naive implementation of the same steps with Pillow."""
