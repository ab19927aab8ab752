"""Jobs by the file or folder: read, check, submit, follow, and fetch the results."""
