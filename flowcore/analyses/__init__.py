"""Questions asked of networks and flows; each answers with polars frames."""
