"""The public study against the published figures: what is measured, what it should be, and the page that says so."""
