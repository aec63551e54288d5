"""The web page: choose a dataset, filter the zoo, see ranked recommendations; `spaces_demo/` puts it on the Hub.

`page` lays it out and `handlers` answer its events; `sources`, `archive` and `pictures` take a dataset in and trust
nothing of it; `engine` ranks and `insight` looks at what the ranker saw; `result`, `cards`, `table` and `charts` write
the result as HTML, in which every name from outside stands as text.
"""
