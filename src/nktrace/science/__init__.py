"""Pure science: arrays in, arrays out, explicit random generators. No file, no plot, no frame is known here."""
