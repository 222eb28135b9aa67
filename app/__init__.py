"""The Streamlit process: pages, widgets and the server around them; the only code that imports streamlit."""
