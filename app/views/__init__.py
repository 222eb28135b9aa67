"""One file is one page is one `page(frame)` function. Views never import each other."""
