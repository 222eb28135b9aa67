"""What the page of files is made of."""
