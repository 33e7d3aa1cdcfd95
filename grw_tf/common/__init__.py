"""What every part of the project uses, and which uses none of them."""
