package importset

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/importset"
)

// headBytes is how much of a file its format is told by.
const headBytes = 64 << 10

// file takes a file pushed as a part of a form, and imports it through the maps of the staging table.
func (a *api) file(r *wire.Request) (*wire.Answer, error) {
	name := r.Param("sysparm_import_set_tablename")
	if name == "" {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "sysparm_import_set_tablename is missing", Detail: "it names the staging table"}
	}
	st, err := a.staging(r, name, record.Create)
	if err != nil {
		return nil, err
	}
	if !r.Flag("sysparm_transform_after_load") {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "sysparm_transform_after_load=true is missing",
			Detail: "a file that is only loaded is what insertMultiple is for"}
	}
	path, fileName, err := spool(r)
	if err != nil {
		return nil, err
	}
	defer os.Remove(path)
	src, err := a.source(path, fileName)
	if err != nil {
		return nil, err
	}
	run, err := a.deps.Imports.Import(r.Context(), importset.Request{Source: *src, Maps: st.Maps, Restart: true, Actor: importset.Importer(r.Session.Actor())})
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Status: http.StatusOK, Result: run}, nil
}

// spool writes the file of the form to disk: an import may read its source more than once, and memory stays bounded.
func spool(r *wire.Request) (path, name string, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return "", "", &wire.Error{Status: http.StatusUnsupportedMediaType, Message: "Media type not supported", Detail: "the file comes as a part of multipart/form-data"}
	}
	parts := multipart.NewReader(r.Request.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return "", "", wire.Unreadable("the form holds no file")
		}
		if err != nil {
			return "", "", wire.Unreadable("the form cannot be read: %v", err)
		}
		if part.FileName() != "" {
			path, err := keep(part)
			return path, filepath.Base(part.FileName()), err
		}
	}
}

func keep(from io.Reader) (path string, err error) {
	f, err := os.CreateTemp("", "headrace-push-*")
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "there is no room for the file")
	}
	if _, err = io.Copy(f, from); err != nil {
		err = wire.Unreadable("the file did not arrive whole: %v", err)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// source finds out what a pushed file is.
func (a *api) source(path, name string) (*importset.Source, error) {
	open := func(context.Context) (io.ReadCloser, error) { return os.Open(path) }
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head, err := bufio.NewReaderSize(f, headBytes).Peek(headBytes)
	if err != nil && err != io.EOF {
		return nil, err
	}
	kind, err := format.Detect(name, head, a.deps.Formats)
	if err != nil {
		return nil, err
	}
	return &importset.Source{Name: name, Size: info.Size(), Open: open, Format: kind}, nil
}
