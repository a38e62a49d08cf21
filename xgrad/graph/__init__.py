"""What a call leaves behind: nodes, and what ops declare."""
