"""Interpreters: each gives the same ops another meaning on arrays of its own."""
