"""A library of real tumours on disk: what it holds, how it is read, and how a crop is turned."""
