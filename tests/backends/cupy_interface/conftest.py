"""None of these files are tests, and they cannot be imported without CuPy."""

collect_ignore_glob = ["*.py"]
