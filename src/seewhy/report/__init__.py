"""What a person reads about one photo: a page, a picture, numbers."""
