package importset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// keyLog keeps the key and line of every row of a plan in a temporary file, for the rare look back at a row whose key
// seems to come again. Every 64th row's place is remembered.
type keyLog struct {
	file  *os.File
	w     *bufio.Writer
	size  int64
	rows  int64
	index []int64
}

const keyLogStep = 64

func newKeyLog() (*keyLog, error) {
	f, err := os.CreateTemp("", "headrace-keys-*")
	if err != nil {
		return nil, err
	}
	return &keyLog{file: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (l *keyLog) close() error { return errors.Join(l.file.Close(), os.Remove(l.file.Name())) }

// add appends the next row.
func (l *keyLog) add(key string, line int64) error {
	if l.rows%keyLogStep == 0 {
		l.index = append(l.index, l.size)
	}
	l.rows++
	head := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(line)), uint64(len(key)))
	l.size += int64(len(head) + len(key))
	if _, err := l.w.Write(head); err != nil {
		return err
	}
	_, err := l.w.WriteString(key)
	return err
}

// read gives the key and line of a row that was added.
func (l *keyLog) read(row int64) (string, int64, error) {
	if err := l.w.Flush(); err != nil {
		return "", 0, err
	}
	from := l.index[row/keyLogStep]
	r := bufio.NewReader(io.NewSectionReader(l.file, from, l.size-from))
	for skip := row % keyLogStep; ; skip-- {
		line, err := binary.ReadUvarint(r)
		if err != nil {
			return "", 0, err
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return "", 0, err
		}
		if skip > 0 {
			if _, err := r.Discard(int(n)); err != nil {
				return "", 0, err
			}
			continue
		}
		key := make([]byte, n)
		_, err = io.ReadFull(r, key)
		return string(key), int64(line), err
	}
}
