"""Captured steps: a function is run once, its calls are written down, and the plan of them is run from then on."""
