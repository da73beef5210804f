"""The organizer's console behind its Gradio page: sections made once for everybody who looks, and acts that name who acted."""
