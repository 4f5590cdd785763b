"""Reports: one picture and one self-contained HTML page for what a command did."""
