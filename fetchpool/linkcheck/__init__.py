"""Link checks: what is broken on a site, and which pages link to it."""
