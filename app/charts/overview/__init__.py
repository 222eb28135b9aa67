"""Charts of the Overview: the fleet as a table, and its history as figures."""
