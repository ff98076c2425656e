"""Composite operators: Python functions over primitives, one file per family. No gradients are written here."""
