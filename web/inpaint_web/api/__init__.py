"""What the rating page's script asks of the server, and the pictures that it shows."""
