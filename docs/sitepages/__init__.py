"""The pages of the site that are made from the sources: codes, commands, settings, the report's schema, figures."""
