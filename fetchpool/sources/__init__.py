"""Where URLs come from: lists, tables, sitemaps and iterables, read lazily."""
