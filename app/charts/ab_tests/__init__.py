"""Charts and words of the A/B page: a reading in, figures, tables and sentences out."""
