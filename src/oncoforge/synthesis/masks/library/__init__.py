"""Shapes of real tumours, pasted into other patients."""
