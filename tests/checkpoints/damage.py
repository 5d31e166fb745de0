def flip(folder):
    """Changes one bit in the middle of a folder's largest file, as a failing disk does."""
    files = (file for file in folder.rglob("*") if file.is_file())
    largest = max(files, key=lambda file: file.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    return largest
