"""What is done to a whole edge: typed options in, a typed result out; no flags, no terminal."""
