"""Every option, declared in `options/`; their checks; the configuration that they make."""
