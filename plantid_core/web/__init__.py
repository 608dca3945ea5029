"""The browser's side: the app's server, its routes, and what the pages are drawn with."""
