package export_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/connect/source/sourcetest/s3d"
	"headrace/internal/connect/source/sourcetest/sshd"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// destination is a place that can be cut off.
type destination struct {
	set  []string          // what the export set says of it
	cut  func(after int64) // after so many bytes, whichever way they go; negative is never
	most int64             // bytes after which a cut may come
	get  func(string) (string, bool)
}

// TestADeliveryThatIsCutAnywhereLeavesNothingOrTheWholeFile cuts the way to the place at a random byte, and lets the
// delivery be tried again.
func TestADeliveryThatIsCutAnywhereLeavesNothingOrTheWholeFile(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *world) destination{"folder": toFolder, "HTTP": toHTTP, "SFTP": toSFTP, "S3": toS3} {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), t.TempDir())
			w.fill(t, 4000)
			d := prepare(t, w)
			w.set(t, append(d.set, "fields", "name,cores,note", "overlap", "")...)
			for range sourcetest.Cuts() {
				after := rand.Int64N(d.most)
				d.cut(after)
				r, err := w.Run(t.Context(), "servers", record.System)
				if r == nil || err != nil {
					t.Fatalf("cut after %d: %+v, %v", after, r, err)
				}
				if got, ok := d.get(r.FileName); ok && sumOf(got) != r.SHA256 {
					t.Fatalf("cut after %d bytes, there are %d of %d bytes", after, len(got), r.Bytes)
				}
				d.cut(-1)
				w.later(t, time.Hour)
				r = w.shown(t, r.ID)
				if got, ok := d.get(r.FileName); r.State != export.Done || !ok || sumOf(got) != r.SHA256 {
					t.Fatalf("cut after %d bytes: %+v, %d of %d bytes", after, r, len(got), r.Bytes)
				}
			}
		})
	}
}

// cutting is a reader that breaks after so many bytes.
type cutting struct {
	r    io.Reader
	left int64
}

func (c *cutting) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fault.New(fault.Unavailable, "cut")
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

func toFolder(t *testing.T, w *world) destination {
	after := int64(-1)
	w.watch(nil, func(_ string, r io.Reader) io.Reader {
		if after < 0 {
			return r
		}
		return &cutting{r, after}
	})
	return destination{cut: func(n int64) { after = n }, most: 100_000, get: func(name string) (string, bool) {
		for _, seen := range w.delivered(t) {
			if seen == name {
				return w.read(t, name), true
			}
		}
		return "", false
	}}
}

func toHTTP(t *testing.T, _ *world) destination {
	s := receive(t)
	return destination{set: []string{"connection_url", s.URL + "/in/"}, most: 100_000,
		cut: func(n int64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.faults = nil; n >= 0 {
				s.faults = append(s.faults, drop(n))
			}
		},
		get: func(name string) (string, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			text, ok := s.files["/in/"+name]
			return text, ok
		}}
}

func toSFTP(t *testing.T, w *world) destination {
	s := sshd.Start(t)
	p := sourcetest.NewProxy(t, s.Addr)
	w.add(t, datasource.SSHKeyTable, "name", "partner", "user_name", s.User, "ssh_private_key", s.Key)
	return destination{set: []string{"connection_url", strings.Replace(s.URL("in"), s.Addr, p.Addr, 1), "credential", "partner", "options", `{"host_key": "` + s.Fingerprint + `"}`},
		cut: func(n int64) { p.Cut(n, rand.IntN(2) == 0) }, most: 6000, get: func(name string) (string, bool) {
			b, err := os.ReadFile(filepath.Join(s.Root, "in", name))
			if !errors.Is(err, fs.ErrNotExist) {
				check(t, err)
			}
			return string(b), err == nil
		}}
}

func toS3(t *testing.T, w *world) destination {
	s := s3d.Start(t)
	p := sourcetest.NewProxy(t, s.Addr)
	w.add(t, outbound.BasicTable, "name", "bucket", "username", s3d.User, "password", s3d.Secret)
	return destination{set: []string{"connection_url", "s3://" + s3d.Bucket + "/in", "credential", "bucket", "options", `{"endpoint": "http://` + p.Addr + `", "path_style": "true", "region": "` + s3d.Region + `"}`},
		cut: func(n int64) { p.Cut(n, rand.IntN(2) == 0) }, most: 1500, get: func(name string) (string, bool) {
			text, ok := s.Get(t, s3d.Bucket, "in/"+name)
			return string(text), ok
		}}
}

// weighing writes CSV and looks from time to time how much memory is in use.
type weighing struct {
	csv.Format
	most *uint64
}

func (f weighing) Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) error {
	n := 0
	return f.Format.Write(ctx, w, header, func(yield func([]record.Value, error) bool) {
		for row, err := range rows {
			if n++; n%20_000 == 0 {
				*f.most = max(*f.most, inUse())
			}
			if !yield(row, err) {
				return
			}
		}
	}, o)
}

// inUse is how many bytes of the heap can be reached.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryIsBoundedWhateverTheSizeOfTheFile(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		most := uint64(0)
		w := openWith(t, cfg, t.TempDir(), []format.Format{weighing{most: &most}})
		servers := 100_000
		if cfg.Path == "" && os.Getenv("HEADRACE_SOAK") == "" { // filling it takes PostgreSQL its time
			servers = 40_000
		}
		for range servers / 10_000 {
			w.fill(t, 10_000)
		}
		w.set(t, "fields", "", "display_values", "all", "order_by", "note")
		before := inUse()
		r := w.run(t)
		if grown := int64(most) - int64(before); r.Rows != int64(servers) || r.Bytes < 100*r.Rows || grown > 4<<20 {
			t.Errorf("%d rows, %d bytes, %d more bytes in use", r.Rows, r.Bytes, grown)
		}
		if lines := strings.Count(w.read(t, r.FileName), "\n"); lines != servers+1 {
			t.Errorf("%d lines", lines)
		}
	})
}
