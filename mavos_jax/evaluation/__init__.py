"""Running a benchmark or a video: segmenting, scoring, archives, the report."""
