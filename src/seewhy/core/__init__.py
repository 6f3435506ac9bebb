"""The nouns: what is asked, how it is answered, what comes out. No network is run here."""
