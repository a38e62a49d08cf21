"""Interpreters: other meanings of the same ops."""
