"""Where lesions are and what shape they have."""
