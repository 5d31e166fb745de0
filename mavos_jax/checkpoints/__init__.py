"""Networks on disk: checkpoint folders, what describes them, and the packaged weights."""
