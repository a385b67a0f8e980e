"""From the user's files to a `Training`. Nothing is imported here: what a file is, is told without torch."""
