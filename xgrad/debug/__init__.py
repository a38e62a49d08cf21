"""Tools that find mistakes."""
