"""Region and boundary measures of arrays; ``datasets`` says which objects and frames count."""
