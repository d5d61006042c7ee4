"""The only readers and writers: FCS, sheets, settings, tables, events between the steps, Gating-ML."""
