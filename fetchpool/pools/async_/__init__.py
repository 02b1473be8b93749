"""The async pool: one thread that runs many fetches at once, with libcurl's multi interface."""
