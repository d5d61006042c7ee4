"""HTML pages: self-contained, every name escaped. Templates stand in templates/, figures come from nktrace.figures."""
