"""Every option: declared in `options/`, checked here, and stored in `RunConfig` and `FetchOptions`."""
