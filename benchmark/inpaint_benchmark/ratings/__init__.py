"""What people think of a run's results: statistics of stars, and stars that come from or go elsewhere."""
