"""Lesions drawn from distributions that were fitted to real ones."""
