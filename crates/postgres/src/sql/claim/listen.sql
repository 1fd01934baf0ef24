LISTEN longshore
