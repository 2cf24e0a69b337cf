package issuer

func init() { restorePage = 3 }
