"""Pictures as inline SVG: values in, text out; nothing is computed or read here.

Drawn by hand rather than by a plotting library: a page of every sample is made in its own process, in which importing
matplotlib alone takes longer than all this; text stays text (searchable, scaled and printed with the page), every mark
carries a tooltip, no identifiers collide between pictures on one page, and bytes don't depend on a library's version.
"""
