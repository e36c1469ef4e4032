package app

import (
	"os"
	"path/filepath"
	"strconv"

	"headrace/internal/connect/source"
	"headrace/internal/connect/source/file"
	"headrace/internal/connect/source/httpfile"
	"headrace/internal/connect/source/rest"
	"headrace/internal/connect/source/s3"
	"headrace/internal/connect/source/sftp"
	"headrace/internal/connect/source/sqldb"
)

// Sources lists the kinds of sources that data comes from.
func Sources(out Outside) []source.Kind {
	services := rest.Parts{Formats: Formats(), Clock: out.Clock, Sleep: out.Wait}
	return append([]source.Kind{file.Kind(), httpfile.Kind(), sftp.Kind(), s3.Kind(), services.Kind(), services.Table()}, sqldb.Kinds()...)
}

// ownFolder is where files are kept between their coming and their going: in the data folder. With a database there is
// none, and each node keeps its own.
func ownFolder(cfg Config, name string) string {
	if cfg.Data != "" {
		return filepath.Join(cfg.Data, name)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		return filepath.Join(cache, "headrace", name)
	}
	return filepath.Join(os.TempDir(), "headrace-"+name+"-"+strconv.Itoa(os.Getuid()))
}
