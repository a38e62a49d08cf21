"""Helpers that several chapters of ops share."""
