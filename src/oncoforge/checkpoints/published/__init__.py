"""Published weights, one module for each work that they are from."""
