"""The cluster pool: stations in the workers of a Dask cluster, on other machines."""
