"""Who is asking: organizers by one-time link, citizens by OpenID Connect."""
