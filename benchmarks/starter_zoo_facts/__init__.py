"""Where the facts of the bundled starter zoo come from: one file a source."""
