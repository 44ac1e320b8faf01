"""Writes the small generic fixtures beside it. Synthetic; run once by hand (standard library only), results committed.

pump-sensors.csv    hourly, 60 days, two pumps; 5 hours of pump P-07 are missing, 3 vibration values are empty
seed-quality.csv    plain table, three classes, identifiers with leading zeros, a boolean, an empty cell
cold-store.csv      weekly, semicolons, decimal comma, days as 31.12.2023, two covariates, one week missing
"""
import csv, datetime, math, pathlib, random

here = pathlib.Path(__file__).parent
rng = random.Random(7)


def write(name, header, rows, delimiter=","):
    with open(here / name, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, delimiter=delimiter, lineterminator="\n")
        w.writerow(header)
        w.writerows(rows)


start = datetime.datetime(2024, 2, 1)
rows = []
for h in range(60 * 24):
    t = start + datetime.timedelta(hours=h)
    for pump, base in (("P-03", 41.0), ("P-07", 37.5)):
        if pump == "P-07" and 500 <= h < 505:
            continue
        flow = base + 6 * math.sin(2 * math.pi * t.hour / 24) + rng.gauss(0, 1.2)
        vib = "" if (pump == "P-03" and h in (17, 18, 900)) else f"{abs(rng.gauss(1.8, 0.3)):.3f}"
        rows.append([t.strftime("%Y-%m-%dT%H:%M:%SZ"), pump, f"{flow:.2f}", f"{4.1 + rng.gauss(0, 0.05):.3f}", vib, 1 if rng.random() < 0.02 else 0])
write("pump-sensors.csv", ["measured_at", "pump", "flow_m3h", "pressure_bar", "vibration_mms", "valve_trip"], rows)

rows = []
for i in range(300):
    k = i % 3
    length, width = rng.gauss(5.2 + 0.4 * k, 0.2), rng.gauss(3.1 - 0.2 * k, 0.15)
    rows.append([f"{i:05d}", f"{length:.2f}", "" if i == 42 else f"{width:.2f}", round(rng.gauss(14 + k, 1.1), 1), "true" if rng.random() < 0.3 else "false", ["amber", "russet", "dun"][k]])
write("seed-quality.csv", ["lot", "length_mm", "width_mm", "moisture", "treated", "grade"], rows)

rows = []
for w in range(160):
    if w == 77:
        continue
    d = datetime.date(2022, 1, 2) + datetime.timedelta(weeks=w)
    temp = 9 + 8 * math.sin(2 * math.pi * w / 52)
    kwh = 820 + 22 * temp + rng.gauss(0, 25)
    rows.append([d.strftime("%d.%m.%Y"), f"{kwh:.1f}".replace(".", ","), f"{temp + rng.gauss(0, 1):.1f}".replace(".", ","), rng.randint(3, 9)])
write("cold-store.csv", ["Woche", "Verbrauch kWh", "Außentemperatur", "Anlieferungen"], rows, ";")
