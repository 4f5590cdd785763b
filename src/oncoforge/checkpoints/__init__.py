"""Published weights: what there is, safe loading, and what the network of a file is."""
