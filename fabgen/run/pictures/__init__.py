"""The pictures of a run: what is drawn of it, and from which samples."""
