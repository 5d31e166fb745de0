"""Videos as input: frames from files, sequences with annotations, generated clips."""
