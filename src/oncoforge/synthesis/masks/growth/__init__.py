"""Growth of a tumour by a cellular automaton, on a lattice of its own."""
