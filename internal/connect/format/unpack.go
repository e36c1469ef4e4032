package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

const (
	defaultRatio    = 300      // unpacked bytes per packed byte; deflate cannot exceed 1032
	defaultUnpacked = 1 << 40  // bytes
	ratioFrom       = 64 << 20 // below this many unpacked bytes any ratio is harmless
)

// PackOptions describes the limits on compressed sources. Every format that reads through Unpack lists them.
func PackOptions() []record.Field {
	return []record.Field{
		{Name: "max_ratio", Label: "Most expansion", Type: record.Integer, Default: "300",
			Help: "a gzip source that unpacks to more than this many times its size (beyond 64 MB) is refused"},
		{Name: "max_unpacked", Label: "Most unpacked bytes", Type: record.Integer, Default: "1TB",
			Help: "a gzip source that unpacks to more bytes than this is refused"},
	}
}

// Unpack returns r itself, buffered, or what r holds when it is gzip (any number of members). Damaged, truncated and
// overblown archives give a fault from Read, after the bytes that could be read.
func Unpack(r io.Reader, o Options) (*bufio.Reader, error) {
	packed := &counter{r: r}
	br := bufio.NewReaderSize(packed, 64<<10)
	head, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return br, nil
	}
	z, err := gzip.NewReader(br)
	if err != nil {
		return nil, gzipFault(err, packed, 0)
	}
	u := &unpacker{z: z, packed: packed, ratio: o.Size("max_ratio", defaultRatio), most: o.Size("max_unpacked", defaultUnpacked)}
	return bufio.NewReaderSize(u, 64<<10), nil
}

type counter struct {
	r   io.Reader
	n   int64
	err error // trouble of r itself
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != io.EOF {
		c.err = err
	}
	return n, err
}

type unpacker struct {
	z           *gzip.Reader
	packed      *counter
	n           int64
	ratio, most int64
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	u.n += int64(n)
	switch {
	case u.n > u.most:
		return n, fault.New(fault.Limit, "the gzip source unpacks to more than %d bytes", u.most).WithHint("raise max_unpacked if it is to be trusted")
	case u.n > ratioFrom && u.n/u.ratio > u.packed.n:
		return n, fault.New(fault.Limit, "the gzip source unpacks to more than %d times its size", u.ratio).WithHint("it may be a bomb; raise max_ratio if it is to be trusted")
	case err != nil && err != io.EOF:
		return n, gzipFault(err, u.packed, u.n)
	}
	return n, err
}

// gzipFault tells what is wrong with the archive; trouble of the source below stays as it is.
func gzipFault(err error, packed *counter, at int64) error {
	switch {
	case packed.err != nil:
		return packed.err
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return fault.New(fault.Invalid, "the gzip data ends early, after %d unpacked bytes", at).WithHint("the file is truncated: fetch it again")
	}
	return fault.Wrap(fault.Invalid, err, "the gzip data is damaged after %d unpacked bytes", at).WithHint("fetch the file again")
}
