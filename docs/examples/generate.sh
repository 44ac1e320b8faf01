#!/bin/sh
# Writes the made-up example files of README beside this script: the same bytes with every awk.
# Usage: docs/examples/generate.sh [DIRECTORY]
set -eu
dir=${1:-$(dirname "$0")}

# pallets.csv: pallets that leave two lines of an imaginary factory each day, 2022-01-01 to 2024-12-31. From 2024-01-15
# line north has a third shift and ships a third more. Line south was closed from 2023-08-07 to 2023-08-11: no rows.
awk 'function noise() { seed = (seed * 16807) % 2147483647; return seed / 2147483647 - 0.5 }
function leap(y) { return y % 4 == 0 }
BEGIN {
	seed = 20220101
	split("31 28 31 30 31 30 31 31 30 31 30 31", days, " ")
	print "day,line,pallets,inspection"
	for (y = 2022; y <= 2024; y++) for (m = 1; m <= 12; m++) for (d = 1; d <= days[m] + (m == 2 && leap(y)); d++) {
		n++
		date = sprintf("%04d-%02d-%02d", y, m, d)
		weekday = (n + 4) % 7      # 2022-01-01 was a Saturday: 5
		week = weekday == 5 ? 0.6 : weekday == 6 ? 0.35 : weekday == 4 ? 1.15 : 1
		inspection = n % 28 == 0
		season = 1 + 0.1 * sin(n / 58.09)
		level = date >= "2024-01-15" ? 160 : 120
		a = level * week * season * (inspection ? 0.7 : 1) + 18 * (noise() + noise() + noise())
		b = 60 * week * season * (inspection ? 0.7 : 1) + 10 * (noise() + noise() + noise())
		printf "%s,north,%d,%d\n", date, a, inspection
		if (date < "2023-08-07" || date > "2023-08-11") printf "%s,south,%d,%d\n", date, b, inspection
	}
}' > "$dir/pallets.csv"

# bearings.csv: 1,200 inspections of imaginary bearings; worn is what the inspector found. Every fortieth temperature is
# missing.
awk 'function noise() { seed = (seed * 16807) % 2147483647; return seed / 2147483647 }
BEGIN {
	seed = 4711
	split("mineral synthetic grease", oil, " ")
	print "vibration_mm_s,temperature_c,load_kw,lubricant,worn"
	for (i = 1; i <= 1200; i++) {
		v = 1 + 6 * noise() * noise(); t = 40 + 40 * noise(); l = 5 + 45 * noise(); k = 1 + int(3 * noise())
		risk = 0.9 * (v - 3) + 0.06 * (t - 60) + 0.02 * (l - 25) + (k == 1 ? 0.6 : -0.3) + 2 * (noise() - 0.5)
		printf "%.2f,%s,%.1f,%s,%s\n", v, i % 40 == 0 ? "" : sprintf("%.1f", t), l, oil[k], (risk > 0) ? "yes" : "no"
	}
}' > "$dir/bearings.csv"
