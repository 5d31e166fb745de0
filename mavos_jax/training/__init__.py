"""Training: losses, the step, the loop and its checkpoints."""
