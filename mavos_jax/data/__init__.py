"""Clips for training: drawing, augmenting and loading them."""
