"""What people and programs reach: the HTTP routes and two Gradio pages that use them."""
