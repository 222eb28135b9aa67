"""Charts of the Monitoring page. Each is numbers (a frame), a sentence (its text alternative) and a drawing.

Blue is for moved inputs; amber and red are kept for losses beyond their bound.
"""
