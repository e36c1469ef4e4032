package demo

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

// ServerColumns are the columns of the demo's server lists; serial_number is the key.
var ServerColumns = []string{
	"serial_number", "name", "ip_address", "manufacturer", "model", "os", "install_date", "location", "owner", "cost",
}

// Sums is the balance that an import must show: Read is the sum of the others.
type Sums struct{ Read, Inserted, Updated, Unchanged, Skipped, Rejected int }

// What the server lists come to when they are imported by serial number, with install_date a date. Tuesday follows
// Monday; TuesdayMended is Tuesday after its rejected rows are tried again with the date format named.
var (
	MondaySums        = Sums{Read: 1000, Inserted: 987, Skipped: 3, Rejected: 10}
	TuesdaySums       = Sums{Read: 1004, Inserted: 14, Updated: 89, Unchanged: 888, Skipped: 3, Rejected: 10}
	TuesdayMendedSums = Sums{Read: 1004, Inserted: 24, Updated: 89, Unchanged: 888, Skipped: 3}
)

// The faults planted in both lists, by row of Monday's (a row stands on the line after its number).
var (
	germanDates = []int{117, 203, 268, 341, 455, 529, 604, 688, 791, 902} // 03.11.2026 where 2026-11-03 is expected
	repeats     = []int{732, 856, 941}                                    // the serial number of row 417 once more
	retired     = []int{64, 149, 222, 310, 388, 476, 571, 663, 747, 989}  // not in Tuesday's list
)

const (
	mondayRows   = 1000
	repeatedRow  = 417
	tuesdayNew   = 14
	tuesdayMoved = 89
	serverSeed   = 20261102
)

// WriteMonday writes the first server list, 1,000 rows.
func WriteMonday(w io.Writer) error {
	return writeServers(w, func(yield func(row int, moved bool)) {
		for row := 1; row <= mondayRows; row++ {
			yield(row, false)
		}
	})
}

// WriteTuesday writes the list of the day after, 1,004 rows: ten servers are gone, 89 changed, 14 are new, and nobody
// mended the faults.
func WriteTuesday(w io.Writer) error {
	return writeServers(w, func(yield func(row int, moved bool)) {
		moved := 0
		for row := 1; row <= mondayRows+tuesdayNew; row++ {
			if slices.Contains(retired, row) {
				continue
			}
			move := moved < tuesdayMoved && row%10 == 5 && !faulty(row)
			if move {
				moved++
			}
			yield(row, move)
		}
	})
}

func faulty(row int) bool { return slices.Contains(germanDates, row) || slices.Contains(repeats, row) }

func writeServers(w io.Writer, rows func(yield func(row int, moved bool))) error {
	b := append([]byte(strings.Join(ServerColumns, ",")), '\n')
	rows(func(row int, moved bool) { b = appendServer(b, row, moved) })
	_, err := w.Write(b)
	return err
}

// appendServer adds a row. A moved server has another rack, address and operating system.
func appendServer(b []byte, row int, moved bool) []byte {
	if slices.Contains(repeats, row) {
		row = repeatedRow
	}
	d := dice{state: mix(uint64(row) + serverSeed)}
	maker, place, rack := d.roll(len(makers)), d.roll(len(places)), 1+d.roll(40)
	system, net, host := d.roll(len(systems)), d.roll(200), 1+d.roll(250)
	if moved {
		system, rack, host = (system+1)%len(systems), rack+1, host+1
	}
	b = append(b, "SN-"...)
	b = appendPadded(b, uint64(row), 4)
	b = append(b, ',')
	b = append(b, siteCodes[place]...)
	b = append(b, d.pick(roles)...)
	b = appendPadded(b, uint64(row), 4)
	b = append(b, ",10.20."...)
	b = strconv.AppendInt(b, int64(net), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(host), 10)
	b = append(b, ',')
	b = append(b, makers[maker].name...)
	b = append(b, ',')
	b = append(b, d.pick(makers[maker].models)...)
	b = append(b, ',')
	b = append(b, systems[system]...)
	b = append(b, ',')
	b = appendInstallDate(b, row, &d)
	b = append(b, ",\""...)
	b = append(b, places[place]...)
	b = append(b, ", rack "...)
	b = strconv.AppendInt(b, int64(rack), 10)
	b = append(b, "\","...)
	b = append(b, d.pick(firstNames)...)
	b = append(b, '.')
	b = append(b, d.pick(lastNames)...)
	b = append(b, "@example.com,"...)
	b = appendPrice(b, 900+d.roll(8000), d.roll(10), 1+d.roll(9))
	return append(b, '\n')
}

func appendInstallDate(b []byte, row int, d *dice) []byte {
	year, month, day := 2019+d.roll(7), 1+d.roll(12), 1+d.roll(28)
	i := slices.Index(germanDates, row)
	if i < 0 {
		return appendDate(b, year, month, day)
	}
	b = appendPadded(b, uint64(3+i), 2)
	return append(b, ".11.2026"...)
}
