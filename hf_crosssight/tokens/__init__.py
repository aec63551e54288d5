"""What the ranker reads: a dataset's tokens (`dataset`), and the views of a model (`structure`, `card`).

Nothing is imported here, so that a room's light parts stay light.
"""
