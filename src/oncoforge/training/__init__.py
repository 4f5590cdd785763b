"""Training: Lightning modules and data modules, one set for each family of models."""
