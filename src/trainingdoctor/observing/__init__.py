"""Watching a training loop that somebody else wrote: global hooks of torch, no edit of the script."""
