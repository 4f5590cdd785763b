"""What lesions look like."""
