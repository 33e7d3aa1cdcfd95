"""Tools that every package uses. They import nothing from the other packages."""
