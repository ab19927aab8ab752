"""The single-machine stack: Redis, Postgres and S3 from wheels on loopback, and the fleet's own processes over them."""
