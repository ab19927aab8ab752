"""Reports of benchmark runs: the review's tables, pictures and plots, from the database's views."""
