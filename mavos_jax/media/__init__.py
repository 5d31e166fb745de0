"""What lies on disk as pixels: frames, videos, masks and pictures of both."""
