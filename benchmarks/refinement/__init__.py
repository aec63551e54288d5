"""What measuring the best models on the user's images is worth, and the weights that it enters a ranking with."""
