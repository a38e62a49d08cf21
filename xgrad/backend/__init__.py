"""Backends: the array libraries that xgrad runs on."""
