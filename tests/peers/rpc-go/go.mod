module gorpc

go 1.23
