"""Measurements of the fleet: of its queue now, of models and their pictures later."""
