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
func Sources() []source.Kind {
	return append([]source.Kind{file.Kind(), httpfile.Kind(), sftp.Kind(), s3.Kind(), rest.Kind(Formats()...), rest.Table(Formats()...)}, sqldb.Kinds()...)
}

// fetchedFolder is where files are kept while they are imported: in the data folder. With a database there is none, and
// each node keeps its own.
func fetchedFolder(cfg Config) string {
	if cfg.Data != "" {
		return filepath.Join(cfg.Data, "fetched")
	}
	if cache, err := os.UserCacheDir(); err == nil {
		return filepath.Join(cache, "headrace", "fetched")
	}
	return filepath.Join(os.TempDir(), "headrace-fetched-"+strconv.Itoa(os.Getuid()))
}
