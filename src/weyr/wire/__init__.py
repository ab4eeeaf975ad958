"""HTTP/1.1 as the data planes speak it. Imports nothing of Weyr but core."""
