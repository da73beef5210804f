"""What people see: the two Gradio pages, and those that templates render."""
