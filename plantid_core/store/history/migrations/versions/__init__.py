"""One module a step. A step that was released is never altered: a new one follows it."""
