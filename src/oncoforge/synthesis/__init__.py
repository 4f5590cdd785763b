"""Every way of making a tumour, behind one interface."""
