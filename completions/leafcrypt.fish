complete --keep-order --exclusive --command leafcrypt --arguments "(COMPLETE=fish leafcrypt -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
