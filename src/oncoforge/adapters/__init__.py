"""Our synthesis within other people's training: nnU-Net, TorchIO."""
