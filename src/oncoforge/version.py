"""The version of the package: recorded in every recipe."""

__version__ = "0.1.0.dev0"
