"""Run the command line as ``python -m oncoforge.cli``."""

from oncoforge.cli import main

main()
