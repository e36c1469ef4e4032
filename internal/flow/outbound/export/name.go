package export

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// usualName is the pattern of sets that give none; the suffix of the format comes behind it.
const usualName = "${name}_${date}_${seq}"

// mostName is the longest name of a file, in bytes: less than disks take, for what is put behind it.
const mostName = 200

// fileName makes the name of a file by the set's pattern. It is a plain name: no folder, and none that stands for a file
// which is still being written.
func (s *set) fileName(at time.Time, seq int) (string, error) {
	zone := time.UTC
	if name := s.text("zone"); name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil {
			return "", s.bad("zone", "%q is no time zone", name).WithHint("its name is like Europe/Vienna")
		}
	}
	at = at.In(zone)
	pattern := s.text("file_name")
	if pattern == "" {
		pattern = usualName + s.suffix()
	}
	if s.is("zipped") && !strings.HasSuffix(pattern, ".gz") {
		pattern += ".gz"
	}
	name, err := s.expand(pattern, map[string]string{"name": s.name, "date": at.Format("20060102"), "time": at.Format("150405"), "seq": fmt.Sprintf("%06d", seq)})
	if err != nil {
		return "", err
	}
	name = plain(name)
	if source.Unfinished(name) || len(name) > mostName {
		return "", s.bad("file_name", "%q is no name for a file that is whole", name).WithHint("at most %d bytes, no dot in front, none of .tmp, .part, .partial, .filepart behind", mostName)
	}
	return name, nil
}

// suffix is that of the format.
func (s *set) suffix() string {
	options, err := s.object("format_options")
	if err == nil && s.text("format") == "json" && options["style"] == "lines" {
		return ".ndjson"
	}
	return "." + s.text("format")
}

// expand puts values in the place of ${name}.
func (s *set) expand(pattern string, values map[string]string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, behind, closed := strings.Cut(rest, "}")
		value, known := values[name]
		if !closed || !known {
			return "", s.bad("file_name", "${%s} stands for nothing", name).WithHint("there are ${name}, ${date}, ${time} and ${seq}")
		}
		out.WriteString(value)
		pattern = behind
	}
}

// plain replaces what has a meaning in paths, patterns or addresses somewhere.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ._-+()", r) {
			return r
		}
		return '_'
	}, name)
}

// nextName is the n-th name to be tried where others are taken: by the number of the file where the pattern has one, else
// with a number in front of the suffix. n 0 is the name itself.
func (s *set) nextName(j *job, n int) (string, error) {
	name := j.text("file_name")
	if n == 0 {
		return name, nil
	}
	if s.numbered() {
		return s.fileName(j.when("made"), int(j.number("sequence"))+n)
	}
	stem, suffix := name, ""
	for _, more := range []string{".gz", path.Ext(strings.TrimSuffix(name, ".gz"))} {
		if more != "" && strings.HasSuffix(stem, more) {
			stem, suffix = strings.TrimSuffix(stem, more), more+suffix
		}
	}
	return stem + "-" + strconv.Itoa(n+1) + suffix, nil
}

// target is where the file of a run goes: the whole address, and the path there as its place calls it.
type target struct {
	url, path string
	post      bool // by HTTP POST: what becomes of the file is the receiver's affair
	fixed     bool // the address is the whole of it: the name of the file does not count
}

// target puts the address of a set and the name of a file together.
func (s *set) target(name string) (*target, error) {
	base := s.text("connection_url")
	if !strings.Contains(base, "://") {
		at := path.Join(base, name)
		return &target{url: at, path: at}, nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, s.wrong("connection_url", fault.New(fault.Invalid, "the address cannot be read").WithHint("scheme://host/path, with /, ?, # and @ in names written as %%2F, %%3F, %%23 and %%40"))
	}
	http := u.Scheme == "http" || u.Scheme == "https"
	t := &target{post: http && s.text("http_method") == "POST"}
	if t.fixed = t.post || http && !strings.HasSuffix(u.Path, "/"); !t.fixed {
		u = u.JoinPath(name)
	}
	t.url, t.path = u.String(), u.Path
	return t, nil
}
