"""Pages for a browser: one file each, nothing fetched, everything in it escaped."""
