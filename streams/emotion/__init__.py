"""What a customer's own words say about how they feel, in English and Dutch; nothing where they do not say it. Pure."""
