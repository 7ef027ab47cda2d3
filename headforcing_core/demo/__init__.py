"""A small model, and a world whose truth is known: trained, scored and compared here."""
