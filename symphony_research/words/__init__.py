"""Words and numbers as a reader sees them: lexicon, number formats, phrases and HTML of tables."""
