"""Files for readers without an account: frozen facts in, one self-contained HTML file out. No store, no clock."""
