"""Region and boundary measures: only numbers."""
