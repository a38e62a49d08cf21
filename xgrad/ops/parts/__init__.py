"""What several chapters of ops share."""
