"""What a page is made of, a folder a noun. Parts use charts, components and ui; views put them together."""
