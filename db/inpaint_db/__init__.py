"""What Postgres holds, and every question asked of it."""
