"""Around every page: the gate, the login, the frame with its boundary, and this process's door to Streamlit."""
