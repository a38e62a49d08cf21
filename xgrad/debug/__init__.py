"""Tools that find mistakes: where a NaN first appears, and where a value leaves the graph."""
