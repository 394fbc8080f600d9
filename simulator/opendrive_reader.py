def parse_opendrive(text): raise NotImplementedError
