"""Segmenting videos: the transition, objects in groups, and the drivers over whole videos."""
