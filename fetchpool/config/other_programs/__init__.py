"""The options of curl, wget, aria2 and HTTPie, and what each is called here."""
