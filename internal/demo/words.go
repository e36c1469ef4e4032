package demo

type maker struct {
	name   string
	models []string
}

// Invented makers; none of the words needs quoting in CSV, except that remarks are already written for quotes.
var (
	makers = []maker{
		{"Nordlicht Systems", []string{"NL-R640 rack server", "NL-R740 rack server", "NL-T150 tower"}},
		{"Aqueduct", []string{"Penstock 9200", "Penstock 9300", "Sluice 48P"}},
		{"Tessellate", []string{"Mosaic 14 notebook", "Mosaic 16 notebook", "Grout dock"}},
		{"Óbuda Gép", []string{"Kerék X1", "Kerék X2 mini"}},
		{"Kōri", []string{"Tsurara UPS 3000", "Tsurara UPS 5000"}},
		{"Brightwater", []string{"Weir P500 printer", "Weir P800 printer", "Weir L27 display"}},
	}
	firstNames = []string{
		"anna", "bence", "chiara", "dmitri", "elif", "farid", "greta", "hana", "ivan", "joana", "kwame", "lena",
		"marek", "noor", "olga", "pablo", "quynh", "rosa", "sven", "tariq", "uma", "vera", "wei", "yara",
	}
	lastNames = []string{
		"almeida", "bakker", "costa", "dubois", "eriksen", "fischer", "garcia", "horvath", "ito", "jensen", "kovacs",
		"lindberg", "mwangi", "novak", "okafor", "petrov", "quispe", "rossi", "silva", "tanaka", "ueda", "virtanen", "wu", "zhang",
	}
	places = []string{
		"Zürich Altstetten", "São Paulo Sul", "Kraków 2", "Reykjavík", "Amsterdam Zuidoost", "Lyon Part-Dieu",
		"Osaka North", "Nairobi West", "Montréal Est", "Dublin Docklands",
	}
	siteCodes = []string{"zrh-", "gru-", "krk-", "kef-", "ams-", "lys-", "osa-", "nbo-", "yul-", "dub-"}
	roles     = []string{"web-", "db-", "app-", "file-", "print-", "edge-", "mail-", "build-"}
	statuses  = []string{"In use", "In stock", "In maintenance", "On order", "Retired"}
	remarks   = []string{
		"delivered with two power supplies",
		"label reads \"\"do not move\"\"",
		"Gerät geprüft, Siegel unversehrt",
		"lease ends, ask before renewal",
		"serviced by the local team",
		"caméra et micro désactivés",
		"memory doubled, see change note",
		"screen 27\"\", stand missing",
		"予備機として保管",
		"second disk replaced under warranty",
		"asset owner moved, new owner unknown",
		"fan noise reported, not confirmed",
	}
	systems = []string{"Debian 12", "Debian 11", "Ubuntu 24.04", "Rocky 9", "Windows Server 2022"}
)
