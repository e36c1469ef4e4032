// Package s3 reads, leaves and moves objects in buckets of S3 and of servers that speak like it.
package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	nethttp "net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"headrace/internal/connect/source"
	"headrace/internal/connect/source/web"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

const (
	amazon   = "https://s3.amazonaws.com"
	tries    = 3        // of one request; the first answer may name the right region
	part     = 16 << 20 // bytes sent at a time: objects of up to 160 GB
	copyMost = 5 << 30  // bytes that a server copies in one go
)

// Kind is the bucket as a source.
func Kind() source.Kind {
	info := source.Info{Name: "s3", Label: "S3", Schemes: []string{"s3"}, Options: append(web.Options(),
		record.Field{Name: "endpoint", Label: "Endpoint", Type: record.String, Default: amazon, Help: "the URL of another server than Amazon's, such as https://minio.example.com:9000"},
		record.Field{Name: "region", Label: "Region", Type: record.String, Help: "the region of the bucket, such as eu-central-1; without one the server is asked"},
		record.Field{Name: "path_style", Label: "Bucket in the path", Type: record.Boolean, Default: "false", Help: "true for servers that have the name of the bucket in the path, and not in the name of the host"})}
	return source.Kind{Info: info, Files: func(a source.Address) (source.Files, error) {
		if err := a.Options.Check(info.Options); err != nil {
			return nil, err
		}
		return open(a)
	}}
}

// bucket is objects of one bucket under one prefix.
type bucket struct {
	source.Place
	net    *web.Network
	core   minio.Core
	name   string
	shown  string // for people: s3://bucket
	plain  bool   // the way to the server is not encrypted
	secret bool   // and credentials are used
}

func open(a source.Address) (*bucket, error) {
	if a.URL.Host == "" {
		return nil, fault.New(fault.Invalid, "the address names no bucket").WithHint("write s3://bucket/folder/*.csv")
	}
	place, err := source.PlaceOf(key(source.PathOf(a.URL)))
	if err != nil {
		return nil, err
	}
	endpoint, err := endpointOf(a.Options.Text("endpoint", amazon))
	if err != nil {
		return nil, err
	}
	net, err := web.New(a)
	if err != nil {
		return nil, err
	}
	user := cmp.Or(a.Secret.User, a.URL.User.Username())
	opts := &minio.Options{Secure: endpoint.Scheme == "https", Region: a.Options.Text("region", ""), MaxRetries: tries,
		Creds: credentials.NewStaticV4(user, a.Secret.Password, ""), Transport: net.Transport(!a.Inside)}
	if a.Options.Bool("path_style", false) {
		opts.BucketLookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(endpoint.Host, opts)
	if err != nil {
		return nil, fault.New(fault.Invalid, "option endpoint: %s is no server of S3", endpoint.Host).WithHint("write https://host or https://host:port")
	}
	return &bucket{Place: place, net: net, core: *core, name: a.URL.Host, shown: "s3://" + a.URL.Host, plain: !opts.Secure, secret: user != ""}, nil
}

// endpointOf reads the address of a server, whose scheme may be left out.
func endpointOf(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, fault.New(fault.Invalid, "option endpoint: this is no address of a server").WithHint("write https://host or https://host:port, without a path; the bucket is in the address")
	}
	return u, nil
}

// key is a path as the server takes it.
func key(p string) string { return strings.TrimPrefix(p, "/") }

// Close makes bucket a source.Files.
func (b *bucket) Close() error {
	b.net.Close()
	return nil
}

// Warnings makes bucket a source.Warner.
func (b *bucket) Warnings() []string {
	switch {
	case b.plain && b.secret:
		return []string{b.shown + ": the connection to the server is not encrypted; requests are signed, what they carry can be read"}
	case b.plain:
		return []string{b.shown + ": the connection to the server is not encrypted, and nobody vouches for it"}
	}
	return nil
}

// List makes bucket a source.Files. A name without an object of that name is taken for a folder.
func (b *bucket) List(ctx context.Context) ([]source.File, error) {
	at := b.Place
	if !at.One() {
		return b.list(ctx, at)
	}
	file := at.Path(at.Name)
	o, err := b.stat(ctx, file)
	if err == nil {
		return []source.File{listed(o)}, nil
	}
	missing := b.fault(ctx, file, err)
	if fault.KindOf(missing) != fault.NotFound {
		return nil, missing
	}
	files, err := b.list(ctx, at.Inside())
	if err == nil && len(files) == 0 {
		err = missing
	}
	return files, err
}

// list asks for one level of the keys, page by page; what can be said of a pattern's beginning the server sorts out.
func (b *bucket) list(ctx context.Context, at source.Place) ([]source.File, error) {
	folder := at.Path("")
	begin, _, _ := strings.Cut(at.Name, "*")
	if i := strings.IndexAny(begin, `?[\`); i >= 0 {
		begin = begin[:i]
	}
	var out []source.File
	for o := range b.core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: folder + begin}) {
		if o.Err != nil {
			return nil, b.fault(ctx, folder, o.Err)
		}
		name := strings.TrimPrefix(o.Key, folder)
		if name != "" && !strings.Contains(name, "/") && at.Takes(name) {
			out = append(out, listed(o))
		}
	}
	if ctx.Err() != nil { // the library takes this for an end
		return nil, b.fault(ctx, folder, ctx.Err())
	}
	return out, nil
}

func (b *bucket) stat(ctx context.Context, at string) (minio.ObjectInfo, error) {
	return b.core.StatObject(ctx, b.name, at, minio.StatObjectOptions{})
}

// listed is an object as a file. Answers about one object tell its time in whole seconds, so nobody shall see more.
func listed(o minio.ObjectInfo) source.File {
	return source.File{Path: o.Key, Size: o.Size, Modified: o.LastModified.UTC().Truncate(time.Second), Version: o.ETag}
}

// Open makes bucket a source.Files. An object that is written over while it is read is read on as it was.
func (b *bucket) Open(ctx context.Context, f source.File, from int64) (io.ReadCloser, error) {
	if from > 0 && from == f.Size { // there is no such range
		o, err := b.stat(ctx, f.Path)
		if err != nil {
			return nil, b.fault(ctx, f.Path, err)
		}
		return nethttp.NoBody, f.As(listed(o))
	}
	var opts minio.GetObjectOptions
	var err error
	if from > 0 {
		err = opts.SetRange(from, 0)
	}
	if err == nil && f.Version != "" {
		err = opts.SetMatchETag(f.Version)
	}
	if err != nil {
		return nil, b.fault(ctx, f.Path, err)
	}
	body, o, header, err := b.core.GetObject(ctx, b.name, f.Path, opts)
	if err != nil {
		return nil, b.fault(ctx, f.Path, err)
	}
	if err := b.check(f, from, o, header); err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return source.Exactly(body, f, from, nil, func(err error) error { return b.fault(ctx, f.Path, err) }), nil
}

// check tells whether an answer has the bytes that were asked for.
func (b *bucket) check(f source.File, from int64, o minio.ObjectInfo, header nethttp.Header) error {
	now := listed(o)
	now.Size = from + o.Size
	if err := f.As(now); err != nil {
		return err
	}
	if from > 0 && !strings.HasPrefix(header.Get("Content-Range"), "bytes "+strconv.FormatInt(from, 10)+"-") {
		return fault.New(fault.Invalid, "%s/%s: the server does not go on in the midst of an object", b.shown, f.Path).WithHint("read it from its beginning")
	}
	return nil
}

// Move makes bucket a source.Mover: the object is copied, the copy looked at, the first one deleted. A move that was broken
// off is brought to its end.
func (b *bucket) Move(ctx context.Context, f source.File, to string) error {
	to = key(to)
	there, missing := b.stat(ctx, to)
	copied := missing == nil && f.Version != "" && there.Size == f.Size && there.ETag == f.Version
	o, err := b.stat(ctx, f.Path)
	switch {
	case err != nil && copied && fault.KindOf(b.fault(ctx, f.Path, err)) == fault.NotFound:
		return nil
	case err != nil:
		return b.fault(ctx, f.Path, err)
	case missing == nil && !copied:
		return source.Exists(to)
	case missing != nil && fault.KindOf(b.fault(ctx, to, missing)) != fault.NotFound:
		return b.fault(ctx, to, missing)
	}
	if err := f.As(listed(o)); err != nil {
		return err
	}
	if !copied {
		if err := b.copy(ctx, f, to); err != nil {
			return err
		}
	}
	return b.fault(ctx, f.Path, b.core.RemoveObject(ctx, b.name, f.Path, minio.RemoveObjectOptions{}))
}

// copy copies an object within the bucket and makes sure that it is there, and that the first one is still the same.
func (b *bucket) copy(ctx context.Context, f source.File, to string) error {
	dst, src := minio.CopyDestOptions{Bucket: b.name, Object: to}, minio.CopySrcOptions{Bucket: b.name, Object: f.Path, MatchETag: f.Version}
	var err error
	if f.Size > copyMost {
		_, err = b.core.ComposeObject(ctx, dst, src)
	} else {
		_, err = b.core.Client.CopyObject(ctx, dst, src)
	}
	if err != nil {
		return b.fault(ctx, f.Path, err)
	}
	there, err := b.stat(ctx, to)
	if err != nil {
		return b.fault(ctx, to, err)
	}
	if f.Size >= 0 && there.Size != f.Size {
		return fault.New(fault.Unavailable, "%s/%s: the copy has %d bytes, not %d", b.shown, to, there.Size, f.Size).WithHint("the first one is untouched; delete the copy and try again")
	}
	o, err := b.stat(ctx, f.Path)
	if err != nil {
		return b.fault(ctx, f.Path, err)
	}
	return f.As(listed(o))
}

// Put makes bucket a source.Putter: servers show an object when it is whole.
func (b *bucket) Put(ctx context.Context, to string, r io.Reader, replace bool) error {
	to = key(to)
	opts := minio.PutObjectOptions{PartSize: part, ContentType: "application/octet-stream"}
	if !replace {
		opts.SetMatchETagExcept("*")
		_, err := b.stat(ctx, to)
		if err == nil {
			return source.Exists(to)
		}
		if missing := b.fault(ctx, to, err); fault.KindOf(missing) != fault.NotFound {
			return missing
		}
	}
	feed := source.NewFeed(ctx, r)
	up, err := b.send(ctx, to, feed, opts)
	n, own := feed.End()
	switch {
	case own != nil:
		return own
	case err != nil && minio.ToErrorResponse(err).Code == minio.PreconditionFailed && !replace:
		return source.Exists(to)
	case err != nil:
		return b.fault(ctx, to, err)
	case up.Size != n:
		return fault.New(fault.Unavailable, "%s/%s: %d bytes were sent, the server holds %d", b.shown, to, n, up.Size).WithHint("try again")
	}
	return nil
}

// send sends a small object in one request, and a larger one in parts.
func (b *bucket) send(ctx context.Context, to string, r io.Reader, opts minio.PutObjectOptions) (minio.UploadInfo, error) {
	var head bytes.Buffer
	_, err := io.CopyN(&head, r, part)
	switch {
	case err == io.EOF:
		opts.DisableContentSha256 = head.Len() == 0 // nothing would be sent in frames of no known length, which servers refuse
		return b.core.Client.PutObject(ctx, b.name, to, bytes.NewReader(head.Bytes()), int64(head.Len()), opts)
	case err != nil:
		return minio.UploadInfo{}, err
	}
	return b.core.Client.PutObject(ctx, b.name, to, io.MultiReader(&head, r), -1, opts)
}

// fault says what is wrong with a key; faults stay as they are, and no error none.
func (b *bucket) fault(ctx context.Context, at string, err error) error {
	var known *fault.Error
	var answer minio.ErrorResponse
	name := b.shown + "/" + path.Clean("/" + at)[1:]
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return fault.Wrap(fault.Canceled, ctx.Err(), "%s: given up", name)
	case !errors.As(err, &answer):
		return web.Fault(name, err)
	}
	if f := byCode(answer, name); f != nil {
		return f
	}
	switch answer.StatusCode {
	case nethttp.StatusForbidden, nethttp.StatusUnauthorized:
		return fault.Wrap(fault.Denied, answer, "%s: not allowed", name).WithHint("check the access key and what it may do")
	case nethttp.StatusNotFound:
		return fault.Wrap(fault.NotFound, answer, "%s does not exist", name).WithHint("check bucket and path")
	}
	if answer.StatusCode >= 500 || answer.StatusCode == nethttp.StatusTooManyRequests || answer.StatusCode < 400 {
		return fault.Wrap(fault.Unavailable, answer, "%s: the server cannot answer now", name).WithHint("try again later")
	}
	return fault.Wrap(fault.Invalid, answer, "%s: the server refuses the request", name).WithHint("check the options endpoint, region and path_style")
}

// byCode reads what the answers of all such servers have in common.
func byCode(answer minio.ErrorResponse, name string) error {
	switch answer.Code {
	case minio.NoSuchBucket:
		return fault.New(fault.NotFound, "%s: there is no such bucket", name).WithHint("check its name, and the options endpoint and region")
	case minio.NoSuchKey:
		return fault.New(fault.NotFound, "%s does not exist", name).WithHint("check the path: keys are told apart by case")
	case minio.AccessDenied:
		return fault.New(fault.Denied, "%s: not allowed", name).WithHint("the access key needs the right to list, read or write here; without one only public buckets can be read")
	case "InvalidAccessKeyId":
		return fault.New(fault.Denied, "%s: the server does not know the access key", name).WithHint("check the user of the credential, and the option endpoint")
	case "SignatureDoesNotMatch":
		return fault.New(fault.Denied, "%s: the secret key is wrong", name).WithHint("check the password of the credential")
	case "RequestTimeTooSkewed":
		return fault.New(fault.Denied, "%s: the clock of this machine differs from that of the server", name).WithHint("set the clock")
	case minio.PreconditionFailed, "InvalidRange":
		return source.Changed(name)
	}
	return nil
}
