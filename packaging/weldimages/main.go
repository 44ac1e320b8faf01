// Command weldimages writes generated pictures of weld seams for node/demo/data/weld/train.py: for each part one byte of
// class and Size×Size bytes of brightness. Defects are as frequent as sound seams here, so that each kind is learned.
//
//	go run ./packaging/weldimages -seed 1 -n 6000 -dirt 0 > parts.bin
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"

	"edgeward/node/demo/weld"
)

func main() {
	seed := flag.Uint64("seed", 1, "seed of the parts")
	n := flag.Int("n", 6000, "how many parts")
	dirt := flag.Float64("dirt", 0, "dirt on the lens, 0 to 1")
	defects := flag.Float64("defects", 0.75, "share of parts with a defect")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	lens := weld.Lens{Seed: *seed, Dirt: *dirt}
	for i := range *n {
		p := weld.Draw(*seed, i, *defects)
		out.WriteByte(byte(p.Class))
		out.Write(lens.See(p))
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
