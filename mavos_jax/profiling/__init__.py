"""What a compiler tells of a program before a device runs it."""
