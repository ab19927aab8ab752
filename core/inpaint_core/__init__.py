"""The vocabulary of the fleet: requests, model cards, statuses, errors, settings, and the object store."""
