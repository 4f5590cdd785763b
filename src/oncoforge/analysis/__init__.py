"""What real tumours look like: measured per lesion and per case, and fitted."""
