"""The segmentation network in training: loss, learning rate, step, validation."""
