package attachment

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	kept "headrace/internal/flow/attachment"
)

// download streams a file, or the part of it that a Range header asks for.
func (a *api) download(r *wire.Request) (*wire.Answer, error) {
	f, err := a.found(r, record.Read)
	if err != nil {
		return nil, err
	}
	size, err := strconv.ParseInt(f.Get("size_bytes").Text, 10, 64)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the size of file %s", f.ID())
	}
	kind := f.Get("content_type").Text
	if kind == "" {
		kind = "application/octet-stream"
	}
	h := http.Header{"X-Attachment-Metadata": {oneLine(a.meta(r, f))}, "Accept-Ranges": {"bytes"}, "Content-Type": {kind},
		"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": f.Get("file_name").Text})}}
	if hash := f.Get("hash").Text; hash != "" {
		h.Set("ETag", `"`+hash+`"`)
	}
	from, to, status := int64(0), size, http.StatusOK
	if asked := r.Header.Get("Range"); asked != "" {
		var ok bool
		if from, to, ok = parseRange(asked, size); !ok {
			return nil, &wire.Error{Status: http.StatusRequestedRangeNotSatisfiable, Message: "Requested range not satisfiable",
				Header: http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", size)}}}
		}
		if to-from < size {
			status = http.StatusPartialContent
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
		}
	}
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	answer := &wire.Answer{Status: status, Header: h, ContentType: kind}
	if r.Method != http.MethodHead {
		answer.Stream = func(w io.Writer) error {
			return a.keeper.Send(r.Context(), kept.Apart(r.Context(), a.deps.DB, r.Session), w, f, from, to)
		}
	}
	return answer, nil
}

// parseRange reads a Range header of one range; to is exclusive. Several ranges, and what is no range, are answered with
// the whole file, as the standard allows.
func parseRange(header string, size int64) (from, to int64, ok bool) {
	spec, is := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !is || !dash || strings.Contains(spec, ",") {
		return 0, size, true
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return 0, size, true
		}
		return max(0, size-n), size, n > 0 && size > 0
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return 0, size, true
	}
	to = size
	if n, err := strconv.ParseInt(last, 10, 64); err == nil && n < size {
		to = n + 1
	}
	return from, to, from < to
}
