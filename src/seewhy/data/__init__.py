"""Where samples come from: files, folders, pictures and arrays in memory."""
