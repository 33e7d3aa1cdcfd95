"""Programs that users run: each a module with `define_flags` and `main`."""
