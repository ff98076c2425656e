"""The five documents from which the project came: their code prints what PyTorch prints."""
