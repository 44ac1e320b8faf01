# perf_analyzer from PyPI is built for glibc 2.38 and GCC 13. This copies the program IN to OUT with those version needs
# marked weak, so that an older system's loader starts it; the few symbols that are then missing are in perf_analyzer.cc.
import struct
import sys

NEWER = {b"GLIBC_2.37", b"GLIBC_2.38", b"GLIBCXX_3.4.31", b"GLIBCXX_3.4.32"}
WEAK = 2  # VER_FLG_WEAK
SHT_GNU_VERNEED = 0x6FFFFFFE

data = bytearray(open(sys.argv[1], "rb").read())
if data[:5] != b"\x7fELF\x02":
    sys.exit("no 64-bit ELF file")
(offset,) = struct.unpack_from("<Q", data, 0x28)
size, count = struct.unpack_from("<HH", data, 0x3A)
sections = [struct.unpack_from("<IIQQQQII", data, offset + i * size) for i in range(count)]
for _, kind, _, _, at, _, link, _ in sections:
    if kind != SHT_GNU_VERNEED:
        continue
    names = sections[link][4]
    need = at
    while True:
        _, n, _, aux, following = struct.unpack_from("<HHIII", data, need)
        entry = need + aux
        for _ in range(n):
            _, flags, _, name, step = struct.unpack_from("<IHHII", data, entry)
            if bytes(data[names + name:data.index(0, names + name)]) in NEWER:
                struct.pack_into("<H", data, entry + 4, flags | WEAK)
            entry += step
        if not following:
            break
        need += following
open(sys.argv[2], "wb").write(data)
