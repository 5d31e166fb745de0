"""What is done with masks: reading and writing them, pictures, reports."""
