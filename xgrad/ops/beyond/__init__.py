"""Functions beyond the standard."""
