"""Link checks: finds the broken links of a site, and the pages that have them."""
