"""The words of the house: frozen dataclasses that every floor above speaks in. No arithmetic, no files."""
