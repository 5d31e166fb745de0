"""Region and boundary measures: numbers alone."""
