"""Cases as training wants them: resampled and cropped once, then read patch by patch."""
