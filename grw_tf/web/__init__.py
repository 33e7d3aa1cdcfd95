"""A page that runs exported files in browsers, as a static site."""
