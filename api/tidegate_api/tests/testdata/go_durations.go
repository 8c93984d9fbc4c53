// Prints what Go makes of durations, right and wrong ones, as JSON lines: go run go_durations.go > go_durations.jsonl
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"
)

var edges = []string{
	"", "0", "+0", "-0", "00", "0s", "-", "+", ".", ".s", "-.s", "1", "1.5", "s", "1x", "1S", " 1s", "1s ", "1 s", "1s1", "--1s",
	"+-1s", "1.5.5s", "1..5s", "1.s", ".5s", "-.5s", "+5s", "1h30m", "1.5h", "250ms", "5.02s", "1us", "1µs", "1μs", "100ns", "1m1m",
	"1s1h", "1e3s", "0x1s", "1_0s", "١s", "1d", "1w", "1hm", "3000000h", "2562047h47m16.854775807s", "2562047h47m16.854775808s",
	"-2562047h47m16.854775808s", "-2562047h47m16.854775809s", "9223372036854775807ns", "9223372036854775808ns",
	"99999999999999999999s", "0000000000000000000000000000001s", "0.00000000000000000000000001h", "1.00000000000000000000000001s",
	"0.100000000000000000000h", "0.9999999999999999999999s", "9223372036854775.808us", "null", "1ms1µs1ns", "0.1ns", "0.3333333333333333333h",
}

func random(r *rand.Rand) string {
	units := []string{"ns", "us", "µs", "ms", "s", "m", "h", "h", "m", "s", "d", ""}
	signs := []string{"", "", "", "-", "+"}
	var b strings.Builder
	b.WriteString(signs[r.Intn(len(signs))])
	for range 1 + r.Intn(4) {
		switch r.Intn(4) {
		case 0:
			fmt.Fprintf(&b, "%d.%d", r.Intn(100), r.Intn(1000))
		case 1:
			fmt.Fprintf(&b, ".%03d", r.Intn(1000))
		default:
			fmt.Fprintf(&b, "%d", r.Intn(100000))
		}
		b.WriteString(units[r.Intn(len(units))])
	}
	return b.String()
}

func main() {
	r := rand.New(rand.NewSource(1))
	out := json.NewEncoder(os.Stdout)
	texts := edges
	for range 400 {
		texts = append(texts, random(r))
	}
	for _, text := range texts {
		d, err := time.ParseDuration(text)
		if err != nil {
			_ = out.Encode([]any{text, nil, nil})
			continue
		}
		_ = out.Encode([]any{text, d.Nanoseconds(), d.Truncate(time.Microsecond).String()})
	}
}
