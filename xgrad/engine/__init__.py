"""Calling ops, and walking the graph."""
