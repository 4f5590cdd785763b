"""Trainers that nnU-Net finds by their name, one module each."""
