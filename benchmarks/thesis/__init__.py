"""The thesis' experiment on our own zoo and results: setting, images, model tokens, one cell at a time, report."""
