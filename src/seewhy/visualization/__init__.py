"""What a unit looks for: pictures made for it, what it gives on a photo, and the natural pictures that it likes best."""
