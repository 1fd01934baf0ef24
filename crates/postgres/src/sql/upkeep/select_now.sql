SELECT longshore.now()
