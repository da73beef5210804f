"""What stands around every request: security, compression, Gradio's HTML."""
