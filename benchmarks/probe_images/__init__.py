"""How the images of the probe tasks are made: drawn by rule, or taken from packages with free licences."""
